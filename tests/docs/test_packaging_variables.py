"""Every variable that a file of the deployment or a guide names is one that something reads."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OLD_SERVICE = """
    STORAGE_BACKEND AWS_REGION AWS_DEFAULT_REGION AWS_BUCKET_NAME AWS_DYNAMODB_TABLE
    AWS_USERS_TABLE AWS_S3_ACL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY UPLOADS_DIR
    SQLITE_DB_PATH HF_SPACE_URL HF_API_TOKEN HUGGING_FACE_TOKEN HUGGINGFACE_TOKEN HF_TOKEN
    HF_CONFIDENCE_THRESHOLD HF_REJECTION_STATUS_CODE HF_SPACE_TIMEOUT
    HF_INGREDIENT_WEIGHT_OVERRIDES FDC_API_KEY USDA_API_KEY FDC_PAGE_SIZE FDC_DATA_TYPES
    FDC_TIMEOUT FDC_BRAND_OWNER ML_SERVICE_URL ML_SERVICE_API_KEY ML_SERVICE_MODE JWT_SECRET_KEY
    JWT_EXPIRATION_MINUTES
""".split()  # noqa: SIM905 - readable
"""What the Flask service read from its environment."""
OF_OTHERS = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",  # boto3
    "PATH", "PYTHONDONTWRITEBYTECODE",
}  # fmt: skip
SECRETS = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def read_by_the_configurations():
    texts = [path.read_text() for path in (ROOT / "config").glob("*.yaml")]
    return set(re.findall(r"\$\{([A-Z0-9_]+)", "".join(texts)))


def read_by_the_code():
    calls = r'(?:environ(?:\.get)?[(\[]|_variable\()\s*"([A-Z0-9_]+)"'
    texts = [path.read_text() for path in (ROOT / "foodlog").rglob("*.py")]
    return set(re.findall(calls, "".join(texts)))


@pytest.fixture(scope="module")
def known():
    return read_by_the_configurations() | read_by_the_code() | OF_OTHERS


def blueprint():
    [service] = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    return service


@pytest.mark.parametrize("name", OLD_SERVICE)
def test_every_variable_of_the_old_service_is_still_read(name, known):
    assert name in known


def test_the_dockerfile_sets_only_variables_that_are_read(known):
    text = (ROOT / "Dockerfile").read_text()
    names = set(re.findall(r"^ENV ([A-Z0-9_]+)=", text, re.MULTILINE))
    assert names
    assert names <= known


def test_the_blueprint_sets_only_variables_that_are_read(known):
    assert {entry["key"] for entry in blueprint()["envVars"]} <= known


@pytest.mark.parametrize("guide", ["deploy.md", "migrating.md"])
def test_a_guide_names_only_variables_that_are_read(guide, known):
    text = (ROOT / "docs" / guide).read_text()
    named = set(re.findall(r"\b(?:[A-Z0-9]+_)+[A-Z0-9]+\b(?=[=`])", text))
    assert named
    assert sorted(named - known) == []


def test_the_blueprint_holds_no_secret():
    for entry in blueprint()["envVars"]:
        if entry["key"].endswith(SECRETS):
            assert "value" not in entry, entry
            assert entry.get("sync") is False or entry.get("generateValue") is True, entry


def test_the_blueprint_keeps_what_is_written_on_its_disk():
    service = blueprint()
    assert service["disk"]["sizeGB"] == 1
    assert service["healthCheckPath"] == "/health"
    variables = {entry["key"]: entry.get("value") for entry in service["envVars"]}
    name = Path(variables["FOODLOG_CONFIG"]).name
    written = yaml.safe_load((ROOT / "config" / name).read_text())
    storage = written["storage"]["options"]
    for path in (storage["database"], storage["photos"], written["auth"]["secret_file"]):
        assert "${FOODLOG_DATA:-/data}" in path
    assert service["disk"]["mountPath"] == "/data"
