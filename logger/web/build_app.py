"""Build the web application of a recorder from the routes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.settings.load import Settings
from logger.store.folder import is_demo
from logger.web.assets_folder import ASSETS
from logger.web.cached_documents import JSON, FewKept, NewsCache, WebDocument
from logger.web.front_page import FrontPage
from logger.web.guard import Guard, HostNames, Passwords
from logger.web.health_answers import answer_health, answer_ready
from logger.web.live_stream import LiveResponse, LiveStreams
from logger.web.page_texts import LANGUAGES, Language, choose_language
from logger.web.question import Question, QuestionError
from logger.web.routes import ROUTES, Route
from logger.web.shown_sites import ShownSite

if TYPE_CHECKING:
    from logger.web.metrics import MetricsWriter

Endpoint: TypeAlias = Callable[[Request], Awaitable[ASGIApp]]
"""A function that makes the response to a request."""
OPEN: Final = ("/healthz", "/readyz")
"""The paths that are answered without a password, for probes. Their answers contain no data of the site."""
_MOST_QUERY: Final = 200
_MOST_KEPT: Final = 32
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(slots=True)
class WebApp:
    """The objects that every request needs: the recorder, its sites, and the cached answers.

    `expected`: the serials of gateways in the settings.
    """

    recorder: Recorder
    clock: Clock
    sites: tuple[ShownSite, ...]
    page: FrontPage
    expected: frozenset[str]
    cache: NewsCache[WebDocument] = field(default_factory=lambda: NewsCache(_MOST_KEPT))

    def find_site(self, number: str) -> ShownSite:
        """Return the site with this number, counted from 1. Raises QuestionError if there is no such site."""
        for site in self.sites:
            if str(site.number) == number:
                return site
        raise QuestionError(f"`site` is a number from 1 to {len(self.sites)}")

    async def answer_json(self, route: Route, parameters: Mapping[str, str]) -> WebDocument:
        """Return the JSON answer to a request of the API. An invalid request gets status 400."""
        known = {name for name, _ in route.parameters} | {"site"}
        try:
            if unknown := parameters.keys() - known:
                raise QuestionError(f"there is no parameter `{sorted(unknown)[0][:40]}`")
            site = self.find_site(parameters.get("site", "1"))
            found = await route.answer(Question(site, parameters, self.recorder, self.clock, self.sites))
        except QuestionError as error:
            return WebDocument(json.dumps({"error": error.message}).encode(), JSON, 400)
        return WebDocument(self.hide_serials(json.dumps(found, ensure_ascii=False).encode()), JSON)

    def hide_serials(self, body: bytes) -> bytes:
        """Replace the gateways' serials in an answer, because their last digits are a password of old firmware."""
        for serial in {*self.expected, *(site.collector.serial for site in self.sites)} - {""}:
            body = body.replace(serial.encode(), b"(gateway)")
        return body

    async def answer(self, key: str, make: Callable[[], Awaitable[WebDocument]], request: Request) -> Response:
        """Return the response to a request, from the cache if possible; status 304 if the visitor already has it."""
        document = await self.cache.get(key, self.recorder.news.version, make)
        return respond(document, request)


def respond(document: WebDocument, request: Request) -> Response:
    """Return the response with a document, or with status 304 if the visitor already has this document."""
    headers = {"cache-control": "no-cache, private"}
    if document.etag:
        headers["etag"] = document.etag
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if document.status == 200 and document.etag in known:
            return Response(status_code=304, headers=headers)
    return Response(document.body, document.status, headers, document.media_type)


class Endpoints:
    """Answer each request by the function of its path. The function is found by the whole path."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with status 404 for an unknown path."""
        endpoint = self._endpoints.get(scope["path"], _answer_nothing)
        answer = await endpoint(Request(scope, receive))
        await answer(scope, receive, send)


async def _answer_nothing(_: Request) -> Response:
    return Response("Not Found", 404, media_type="text/plain")


def build_app(settings: Settings, recorder: Recorder, clock: Clock) -> ASGIApp:
    """Build the web application: all routes, behind the guard that refuses invalid requests."""
    sites = tuple(
        ShownSite(number, collector, recorder.store, clock)
        for number, collector in enumerate(recorder.collectors, start=1)
    )
    page = FrontPage(recorder, sites, clock, is_invented=is_demo(settings.state_dir))
    expected = frozenset(each.enphase.serial for each in settings.gateways)
    web = WebApp(recorder, clock, sites, page, expected)
    streams = LiveStreams(page, recorder.news, web.hide_serials)
    endpoints = Endpoints(
        {
            **{route.path: _make_endpoint(web, route) for route in ROUTES},
            **{f"/assets/{name}": _make_asset_endpoint(asset) for name, asset in ASSETS.items()},
            "/": _make_page_endpoint(web),
            "/live": _make_live_endpoint(web, streams),
            "/metrics": _make_metrics_endpoint(web),
            "/healthz": _probe(lambda: answer_health(recorder)),
            "/readyz": _probe(lambda: answer_ready(recorder)),
        }
    )
    hosts = HostNames(settings.recorder.http_hosts)
    passwords = Passwords(settings.recorder.http_password.get_secret_value(), clock)
    return Guard(endpoints, hosts, passwords, OPEN)


def _make_endpoint(web: WebApp, route: Route) -> Endpoint:
    """Return the function that answers the requests of one route."""

    async def endpoint(request: Request) -> Response:
        query = request.url.query
        if len(query) > _MOST_QUERY:
            return Response("this query is too long\n", 414, media_type="text/plain")
        parameters = dict(request.query_params)
        return await web.answer(f"{route.path}?{query}", lambda: web.answer_json(route, parameters), request)

    return endpoint


def _make_page_endpoint(web: WebApp) -> Endpoint:
    """Return the function that answers with the page."""

    async def endpoint(request: Request) -> Response:
        try:
            site = web.find_site(request.query_params.get("site", "1"))
        except QuestionError as error:
            return Response(f"{error.message}\n", 404, media_type="text/plain")
        language = read_language(request)
        is_chosen = "lang" in request.query_params

        async def write() -> WebDocument:
            document = await web.page.write(site, language, is_chosen=is_chosen)
            return WebDocument(web.hide_serials(document.body), document.media_type)

        answer = await web.answer(f"/ {site.number} {language} {is_chosen}", write, request)
        answer.headers["vary"] = "accept-language"
        answer.headers["content-language"] = language
        return answer

    return endpoint


def _make_live_endpoint(web: WebApp, streams: LiveStreams) -> Endpoint:
    """Return the function that answers with a stream of the page's changed parts."""

    async def endpoint(request: Request) -> ASGIApp:
        if streams.is_full:
            return Response("too many visitors\n", 503, {"retry-after": "60"}, "text/plain")
        try:
            site = web.find_site(request.query_params.get("site", "1"))
        except QuestionError as error:
            return Response(f"{error.message}\n", 404, media_type="text/plain")
        return LiveResponse(streams, site, read_language(request), request.query_params.get("shown", ""))

    return endpoint


def _make_metrics_endpoint(web: WebApp) -> Endpoint:
    """Return the function that answers with the metrics for Prometheus."""

    kept = FewKept[Response](1)

    @cache
    def load() -> MetricsWriter:
        from logger.web.metrics import MetricsWriter  # imported at the first use, because its library takes memory

        return MetricsWriter(web.recorder, web.clock)

    def make() -> Response:
        document = load().write()
        return Response(document.body, headers={"cache-control": "no-cache, private"}, media_type=document.media_type)

    async def endpoint(_: Request) -> Response:
        return kept.get(web.recorder.news.version, make)

    return endpoint


def read_language(request: Request) -> Language:
    """Return the language that a visitor chose by a link; without a choice, the language that the browser prefers."""
    chosen = request.query_params.get("lang", "")
    named = next((each for each in LANGUAGES if each == chosen), None)
    return named or choose_language(request.headers.get("accept-language", ""))


def _make_asset_endpoint(asset: WebDocument) -> Endpoint:
    """Return the function that answers with one of the files that the page needs."""

    async def endpoint(_: Request) -> Response:
        return Response(asset.body, headers={"cache-control": _FOR_EVER}, media_type=asset.media_type)

    return endpoint


def _probe(answer: Callable[[], WebDocument]) -> Endpoint:
    """Return the function that answers a health check. The answer is not taken from the cache."""

    async def endpoint(request: Request) -> Response:
        return respond(answer(), request)

    return endpoint
