#include "agent/web/operator_web.h"

#include "agent/web/access.h"
#include "agent/web/agent_metrics.h"
#include "agent/web/answers.h"
#include "agent/web/console.h"
#include "agent/web/event_hub.h"
#include "agent/web/routes.h"
#include "base/telemetry/exposition.h"
#include "base/telemetry/process_metrics.h"

namespace agent::web {

namespace asio = boost::asio;
namespace json = boost::json;
using base::net::HttpRequest;
using base::net::HttpResponse;

namespace {

std::string header(const HttpRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

bool is_read(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

ConsolePart part_of_page(const HttpRequest& request) {
  const auto part = request.query.find("part");
  return part != request.query.end() && part->second == "main" ? ConsolePart::kMain
                                                               : ConsolePart::kPage;
}

HttpResponse not_allowed(const std::vector<std::string>& methods) {
  std::string list;
  for (const std::string& method : methods) list += (list.empty() ? "" : ", ") + method;
  HttpResponse response = error_answer(405, "method_not_allowed", "this path takes only " + list);
  response.headers.emplace_back("Allow", list);
  return response;
}

HttpResponse unauthenticated(TokenAnswer answer) {
  const char* context =
      answer == TokenAnswer::kMissing
          ? "acts need the header `Authorization: Bearer <token>` with the content of the region's "
            "operator.token; `mcguard` sends it by itself"
          : "the token is not the one in the region's operator.token";
  HttpResponse response = error_answer(401, "unauthenticated", context);
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse misdirected(const std::string& host) {
  return error_answer(421, "misdirected",
                      "the Host header is \"" + host.substr(0, 200) +
                          "\": expected localhost, 127.0.0.1, [::1] or a name configured for this "
                          "agent");
}

// "inc-1" of "/incidents/inc-1"; empty if the path is something else.
std::string id_under(const std::string& path, std::string_view folder) {
  if (!path.starts_with(folder)) return "";
  std::string id = path.substr(folder.size());
  return id.find('/') == std::string::npos ? id : "";
}

}  // namespace

struct OperatorWeb::Inside {
  Inside(asio::any_io_executor executor, base::Timers& timers, OperatorApi& operator_api,
         Options given, Providers given_providers)
      : api(operator_api),
        options(std::move(given)),
        providers(std::move(given_providers)),
        hub(std::move(executor), timers, operator_api) {}

  asio::awaitable<HttpResponse> answer(HttpRequest request);
  asio::awaitable<HttpResponse> answer_page(HttpRequest request);
  asio::awaitable<HttpResponse> answer_api(HttpRequest request);
  asio::awaitable<HttpResponse> show_region(ConsolePart part);
  asio::awaitable<HttpResponse> show_details(std::string verb, std::string id, ConsolePart part);
  asio::awaitable<HttpResponse> expose(std::string accept);
  HttpResponse ready() const;
  HttpResponse open_events();

  OperatorApi& api;
  const Options options;
  const Providers providers;
  EventHub hub;
  WebCounters counters;
};

OperatorWeb::OperatorWeb(asio::any_io_executor executor, base::Timers& timers, OperatorApi& api,
                         Options options, Providers providers)
    : inside_(std::make_unique<Inside>(std::move(executor), timers, api, std::move(options),
                                       std::move(providers))) {}

OperatorWeb::~OperatorWeb() = default;

void OperatorWeb::start() {
  inside_->hub.start();
}

asio::awaitable<void> OperatorWeb::stop() {
  return inside_->hub.stop();
}

asio::awaitable<HttpResponse> OperatorWeb::handle(HttpRequest request) {
  HttpResponse response = co_await inside_->answer(std::move(request));
  ++inside_->counters.requests[response.status];
  co_return response;
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::answer(HttpRequest request) {
  const std::string host = header(request, "host");
  if (!host_allowed(host, options.hosts)) co_return misdirected(host);
  if (request.path.starts_with("/api/")) co_return co_await answer_api(std::move(request));
  if (!is_read(request.method)) co_return not_allowed({"GET"});
  co_return co_await answer_page(std::move(request));
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::answer_page(HttpRequest request) {
  const std::string& path = request.path;
  const ConsolePart part = part_of_page(request);
  if (path == "/") co_return co_await show_region(part);
  if (path == "/metrics") co_return co_await expose(header(request, "accept"));
  if (path == "/-/healthy") co_return text_answer(200, "mcguard-agent is healthy.\n");
  if (path == "/-/ready") co_return ready();
  if (path == "/assets/console.css") {
    co_return asset_answer(console_asset("console.css"), "text/css; charset=utf-8");
  }
  if (path == "/assets/console.js") {
    co_return asset_answer(console_asset("console.js"), "text/javascript; charset=utf-8");
  }
  std::string incident = id_under(path, "/incidents/");
  if (!incident.empty()) {
    co_return co_await show_details("incidents.show", std::move(incident), part);
  }
  std::string run = id_under(path, "/runs/");
  if (!run.empty()) co_return co_await show_details("runs.show", std::move(run), part);
  co_return page_answer(404, console_problem("No such page", "Nothing is at this address.", part));
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::answer_api(HttpRequest request) {
  if (request.path == "/api/v1/events") {
    co_return is_read(request.method) ? open_events() : not_allowed({"GET"});
  }
  const RouteMatch match = match_route(request.method, request.path);
  if (match.route == nullptr) {
    if (!match.allowed.empty()) co_return not_allowed(match.allowed);
    co_return error_answer(404, "not_found", "no such path; docs/api.md lists them");
  }
  const Route& route = *match.route;
  if (route.access != Access::kRead) {
    const TokenAnswer token = check_token(header(request, "authorization"), options.token);
    if (token != TokenAnswer::kAccepted) co_return unauthenticated(token);
  }
  if (request.body.size() > route.max_body) {
    co_return error_answer(
        413, "too_large",
        "the body: expected at most " + std::to_string(route.max_body) + " bytes");
  }
  base::Result<json::object> args = arguments_of(request, match.args);
  if (!args) co_return error_answer(400, "invalid", args.error().context);
  std::string verb(route.verb);
  base::Result<json::value> result = co_await api.call(std::move(verb), *std::move(args));
  if (!result) {
    const base::Error& error = result.error();
    co_return error_answer(http_status(error.code, route.verb), base::to_string(error.code),
                           error.context);
  }
  co_return json_answer(route.success, *result);
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::show_region(ConsolePart part) {
  base::Result<std::shared_ptr<const Sample>> sample = co_await hub.fresh();
  if (!sample) {
    co_return page_answer(
        503, console_problem("The region's state is not known yet", sample.error().context, part));
  }
  co_return page_answer(200, console_region((*sample)->status, hub.history(), part));
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::show_details(std::string verb, std::string id,
                                                                ConsolePart part) {
  const bool incident = verb == "incidents.show";
  json::object args;
  args["id"] = id;
  base::Result<json::value> shown = co_await api.call(std::move(verb), std::move(args));
  if (!shown) {
    const int status = http_status(shown.code(), "");
    const char* title = incident ? "This incident cannot be shown" : "This run cannot be shown";
    co_return page_answer(status, console_problem(title, shown.error().context, part));
  }
  co_return page_answer(200, incident ? console_incident(*shown, part) : console_run(*shown, part));
}

asio::awaitable<HttpResponse> OperatorWeb::Inside::expose(std::string accept) {
  std::vector<prometheus::MetricFamily> families;
  const auto append = [&](std::vector<prometheus::MetricFamily> more) {
    for (prometheus::MetricFamily& family : more) families.push_back(std::move(family));
  };
  // Without a status the rest is still worth having.
  base::Result<std::shared_ptr<const Sample>> sample = co_await hub.fresh();
  if (sample) append(status_families((*sample)->status));
  if (providers.metrics) append(providers.metrics());
  counters.event_readers = hub.readers();
  append(web_families(counters));
  append(base::telemetry::process_families());
  const base::telemetry::ExpositionFormat format = base::telemetry::negotiate(accept);
  HttpResponse response = text_answer(200, base::telemetry::expose(families, format));
  response.content_type = base::telemetry::content_type(format);
  response.headers.emplace_back("Vary", "Accept");
  co_return response;
}

HttpResponse OperatorWeb::Inside::ready() const {
  const base::Result<> state = providers.ready ? providers.ready() : base::Result<>();
  if (state) return text_answer(200, "mcguard-agent is ready.\n");
  return text_answer(503, "mcguard-agent is not ready: " + state.error().context + "\n");
}

HttpResponse OperatorWeb::Inside::open_events() {
  if (!hub.has_room()) {
    return error_answer(503, "exhausted",
                        "too many readers of events (" + std::to_string(EventHub::kMaxReaders) +
                            "); close some, or poll /api/v1/status");
  }
  HttpResponse response = text_answer(200, "");
  response.content_type = "text/event-stream; charset=utf-8";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.events = [this](std::shared_ptr<base::net::EventStream> stream) {
    hub.add(std::move(stream));
  };
  return response;
}

}  // namespace agent::web
