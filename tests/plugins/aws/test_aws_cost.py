"""What a worker pays for AWS: nothing where it is not used, and once where it is."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[3]

SERVE = """
    import json, os, sys
    from foodlog.config import load_config
    from foodlog.testing import photos
    from foodlog.testing.client import Client, multipart
    from pathlib import Path

    made = []
    if os.environ.get("COUNT"):
        import botocore.session
        create = botocore.session.Session.create_client
        def counted(self, service_name, *args, **kwargs):
            made.append(service_name)
            return create(self, service_name, *args, **kwargs)
        botocore.session.Session.create_client = counted

    with Client(Path(sys.argv[1]).read_text(), environ=os.environ) as client:
        at_start = list(made)
        client.new_user()
        body, content_type = multipart([("photo", "meal.jpg", photos.jpeg(64, 48))])
        headers = {"Content-Type": content_type}
        statuses = []
        for _ in range(2):
            answer = client.request("POST", "/predict", body=body, headers=headers)
            statuses += [answer.status_code, client.request("GET", "/history").status_code]
    imported = sorted(name for name in ("boto3", "botocore") if name in sys.modules)
    told = {"statuses": statuses, "imported": imported, "at_start": at_start, "made": made}
    print(json.dumps(told))
"""


def serve(config, folder, **environ):
    """Serve two predictions and histories in a process of its own; what it says of itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STORAGE", "FOODLOG"))}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SERVE), str(ROOT / "config" / config)],
        cwd=folder,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_worker_on_the_embedded_default_never_imports_boto3(tmp_path):
    told = serve("local.yaml", tmp_path)
    assert told["statuses"] == [200] * 4
    assert told["imported"] == []


def test_on_aws_clients_are_made_at_the_start_and_never_again(storage, moto_url, tmp_path):
    told = serve(
        "aws.yaml",
        tmp_path,
        COUNT="1",
        JWT_SECRET_KEY="k" * 40,
        AWS_ENDPOINT_URL=moto_url,
        AWS_REGION="eu-west-1",
        AWS_BUCKET_NAME=storage.options["bucket"],
        AWS_DYNAMODB_TABLE=storage.options["meals_table"],
        AWS_USERS_TABLE=storage.options["users_table"],
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        AWS_SECRET_ACCESS_KEY="example",
    )
    assert told["statuses"] == [200] * 4
    assert sorted(told["at_start"]) == ["dynamodb", "s3"]
    assert told["made"] == told["at_start"]
