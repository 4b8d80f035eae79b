"""``make demo`` shows the whole chain, and nothing of it needs an account."""

import subprocess
import sys


def test_the_demonstration_asks_each_service_once_and_shows_the_answer():
    done = subprocess.run(
        [sys.executable, "-m", "foodlog.testing.demo"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert '"inference_source": "huggingface_space"' in done.stdout
    assert '"nutrition_source": "usda"' in done.stdout
    assert "Hugging Face was asked: POST /hf-inference/models/nateraw/food\n" in done.stdout
    assert "USDA was asked: POST /foods\n" in done.stdout
    assert "ML service was asked: nothing" in done.stdout
