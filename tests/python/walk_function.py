"""The Lambda function of a pipeline and what stands around it, for one call of CodePipeline's: the real binary, with
`pipeline.py` for its runtime, GitHub and CodePipeline."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


class Function:
    """The Lambda function and what stands around it, for one call."""

    def __init__(self, binary, repositories, token, endpoint, region, role):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.around = subprocess.Popen([sys.executable, str(HERE / "pipeline.py"), str(repositories), token], **pipes)
        ports = json.loads(self.around.stdout.readline())
        self.github = f"https://localhost:{ports['github_tls']}"
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{ports['runtime']}",
            "AWS_ENDPOINT_URL_CODEPIPELINE": f"http://127.0.0.1:{ports['codepipeline']}",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
            "AWS_LAMBDA_FUNCTION_NAME": "git-merge",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": role,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "SSL_CERT_FILE": str(pathlib.Path(repositories) / "ca.pem"),
        }
        self.process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.around.stdin.close()
        self.around.wait()

    def told(self, event):
        """What the function told CodePipeline."""
        self.command({"invoke": event, "seconds": 60})
        return self.command({"calls": True})["codepipeline"][-1]

    def command(self, command):
        self.around.stdin.write(json.dumps(command) + "\n")
        self.around.stdin.flush()
        return json.loads(self.around.stdout.readline())
