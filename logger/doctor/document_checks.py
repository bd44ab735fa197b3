"""Checks every document with readings. The first answer also shows whether the gateway accepts the sign-in."""

from __future__ import annotations

from typing import Final

from logger.clock import Clock
from logger.daemon.one_poll import Poll
from logger.doctor.check_result import CheckResult, Report, bad, fail, good, skip
from logger.doctor.sign_in_checks import SIGN_IN
from logger.errors import (
    AbsentError,
    CredentialsError,
    EnvoyLoggerError,
    NotAllowedError,
    TokenError,
    UnreachableError,
)
from logger.gateway.client import Gateway
from logger.gateway.endpoints import Endpoint, plan
from logger.model import Document, GatewayInfo
from logger.readings import paths

DOCUMENTS: Final = "documents"


async def check_documents(
    gateway: Gateway,
    info: GatewayInfo,
    signed_in: CheckResult,
    refused: CheckResult,
    clock: Clock,
    report: Report,
) -> Poll | None:
    """Report the sign-in, then each document. Return the answers; None if no document could be requested.

    If the gateway does not accept the token, `refused` is reported instead of `signed_in`.
    """
    answered, documents = False, dict[str, Document]()
    failures, refusals = dict[str, EnvoyLoggerError](), dict[str, EnvoyLoggerError]()
    for endpoint in (endpoint for endpoint in plan(info) if endpoint.path in paths.PATHS):
        try:
            result, answer = await _check_document(gateway, endpoint)
        except CredentialsError as error:
            by_gateway = isinstance(error, TokenError) and "ENPHASE_TOKEN" in error.message
            report(refused if by_gateway else fail(SIGN_IN, error))
            return None
        except UnreachableError as error:
            report(fail(endpoint.path, error))
            return None
        if not answered:
            report(signed_in)
        answered = True
        if isinstance(answer, Document):
            documents[endpoint.path] = answer
        else:
            (refusals if isinstance(answer, AbsentError | NotAllowedError) else failures)[endpoint.path] = answer
        report(result)
    return Poll(info, int(clock.time()), documents, failures, refusals)


async def _check_document(gateway: Gateway, endpoint: Endpoint) -> tuple[CheckResult, Document | EnvoyLoggerError]:
    """Request one document. Return the result of the check, and the document or the error.

    Raises CredentialsError and UnreachableError, because these errors concern every other document, too.
    """
    path = endpoint.path
    try:
        document = await gateway.fetch(endpoint)
    except AbsentError as error:
        return skip(path, "this gateway has no such document"), error
    except NotAllowedError as error:
        if error.hint:  # another local user may read this document
            return bad(path, error.message, error.hint, CredentialsError.exit_code), error
        is_token = gateway.auth_kind == "token"
        text = (
            "the role of this token may not read this" if is_token else "this firmware does not allow this document"
        )
        return skip(path, text), error
    except (CredentialsError, UnreachableError):
        raise
    except EnvoyLoggerError as error:
        return fail(path, error), error
    return good(path, "answers", document.took_s), document
