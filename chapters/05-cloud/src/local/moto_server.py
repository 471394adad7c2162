"""moto as one server on a free port of the loopback interface. It accepts only the keys in its environment.

moto 5.2 knows Elastic Beanstalk's applications and environments, but not application versions, tiers, health, swapping, or
terminating one environment. The class below adds these, as the API reference describes them:
https://docs.aws.amazon.com/elasticbeanstalk/latest/api/
"""

import os
import secrets
import signal
import sys

# Every request must be signed, as at Amazon: moto checks the signature and the user's policies. moto reads this when loaded.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from moto.core.responses import ActionResult, EmptyResult  # noqa: E402
from moto.core.utils import utcnow  # noqa: E402
from moto.elasticbeanstalk import models, responses  # noqa: E402
from moto.elasticbeanstalk.exceptions import InvalidParameterValueError  # noqa: E402
from moto.iam.models import iam_backends  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

account = "123456789012"


def let_in(account, key_id, secret):
    """Creates a user in an account, with these keys and all permissions."""
    iam = iam_backends[account]["aws"]
    user = "reader"
    iam.create_user(region_name="us-east-1", user_name=user)
    key = iam.create_access_key(user)
    key.access_key_id, key.secret_access_key = key_id, secret
    # This is how moto finds the account.
    iam.access_keys[key_id] = key
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": "*"}]}'
    iam.put_user_policy(user, "may", policy)


class Response(responses.EBResponse):
    """Adds what moto's own class lacks, and corrects where it differs from Beanstalk."""

    def create_application_version(self):
        application = self._application()
        label = self._get_param("VersionLabel")
        bundle = self._get_param("SourceBundle", {})
        versions = application.__dict__.setdefault("versions", {})
        if label in versions:
            raise InvalidParameterValueError(f"Application Version {label} already exists.")
        buckets = s3_backends[account]["aws"].buckets
        if bundle.get("S3Key") not in buckets.get(bundle.get("S3Bucket"), type("None", (), {"keys": {}})).keys:
            raise InvalidParameterValueError(f"Unable to download from S3 location (Bucket: {bundle.get('S3Bucket')})")
        versions[label] = {
            "ApplicationName": application.application_name,
            "VersionLabel": label,
            "SourceBundle": bundle,
            "DateCreated": utcnow(),
            "Status": "PROCESSED",
        }
        return ActionResult({"ApplicationVersion": versions[label]})

    def describe_application_versions(self):
        labels = self._get_param("VersionLabels", [])
        found = [v for k, v in getattr(self._application(), "versions", {}).items() if not labels or k in labels]
        return ActionResult({"ApplicationVersions": found})

    def create_environment(self):
        application = self._application()
        label = self._get_param("VersionLabel")
        if label is not None and label not in getattr(application, "versions", {}):
            raise InvalidParameterValueError(f"No Application Version named '{label}' found.")
        stack = self._get_param("SolutionStackName")
        if stack not in [known["SolutionStackName"] for known in responses.SOLUTION_STACK_DETAILS]:
            raise InvalidParameterValueError(f"No Solution Stack named '{stack}' found.")
        prefix = self._get_param("CNAMEPrefix")
        if prefix and any(env.cname.startswith(f"{prefix}.") for env in self._environments()):
            raise InvalidParameterValueError(f"DNS name ({prefix}) is not available.")
        super().create_environment()
        environment = application.environments[self._get_param("EnvironmentName")]
        environment.environment_id = f"e-{secrets.token_hex(5)}"
        environment.solution_stack_name = stack
        environment.version_label = label
        environment.tier = self._get_param("Tier", environment.tier)
        environment.settings = self._get_param("OptionSettings", [])
        if environment.tier["Name"] == "WebServer":
            environment.cname = f"{prefix or environment.environment_name}.{self.region}.elasticbeanstalk.com"
        environment.endpoint_url = environment.cname
        environment.status, environment.health, environment.seen = "Launching", "Grey", False
        return ActionResult(environment)

    def describe_environments(self):
        names = self._get_param("EnvironmentNames", [])
        application = self._get_param("ApplicationName")
        found = []
        for environment in self._environments():
            if names and environment.environment_name not in names:
                continue
            if application and environment.application_name != application:
                continue
            # Each request but the first advances an environment by one step, so that the caller has to wait and sees
            # all states.
            if not environment.seen:
                environment.seen = True
            elif environment.status == "Launching":
                environment.status = "Ready"
            elif environment.status == "Ready":
                environment.health = "Green"
            else:
                del environment.application.environments[environment.environment_name]
                continue
            found.append(environment)
        return ActionResult({"Environments": found})

    # moto spells SwapEnvironmentCNAMEs like this.
    def swap_environment_cnam_es(self):
        source = self._environment(self._get_param("SourceEnvironmentName"))
        destination = self._environment(self._get_param("DestinationEnvironmentName"))
        for environment in (source, destination):
            if environment.status != "Ready":
                raise InvalidParameterValueError(
                    f"Environment named {environment.environment_name} is in an invalid state for this operation. Must be Ready."
                )
        source.cname, destination.cname = destination.cname, source.cname
        return EmptyResult()

    def terminate_environment(self):
        environment = self._environment(self._get_param("EnvironmentName"))
        environment.status, environment.seen = "Terminating", False
        return ActionResult(environment)

    def delete_application(self):
        name = self._get_param("ApplicationName")
        application = self.elasticbeanstalk_backend.applications.get(name)
        if application and application.environments and self._get_param("TerminateEnvByForce") not in (True, "true"):
            raise InvalidParameterValueError(
                f"Unable to delete application {name} because it has an environment that is running."
            )
        return super().delete_application()

    def describe_applications(self):
        names = self._get_param("ApplicationNames", [])
        applications = self.elasticbeanstalk_backend.applications.values()
        return ActionResult({"Applications": [a for a in applications if not names or a.application_name in names]})

    def _application(self):
        name = self._get_param("ApplicationName")
        if name not in self.elasticbeanstalk_backend.applications:
            raise InvalidParameterValueError(f"No Application named '{name}' found.")
        return self.elasticbeanstalk_backend.applications[name]

    def _environments(self):
        return [e for a in self.elasticbeanstalk_backend.applications.values() for e in list(a.environments.values())]

    def _environment(self, name):
        for environment in self._environments():
            if environment.environment_name == name:
                return environment
        raise InvalidParameterValueError(f"No Environment found for EnvironmentName = '{name}'.")


responses.EBResponse = Response
from moto.elasticbeanstalk import urls  # noqa: E402

urls.url_paths = {"{0}/$": Response.dispatch}


def main():
    let_in(account, os.environ["MOTO_KEY_ID"], os.environ["MOTO_SECRET"])
    if "MOTO_NEIGHBOUR_KEY_ID" in os.environ:
        let_in("210987654321", os.environ["MOTO_NEIGHBOUR_KEY_ID"], os.environ["MOTO_NEIGHBOUR_SECRET"])
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"listening on port {server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
