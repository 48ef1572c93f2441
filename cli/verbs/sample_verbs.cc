// top keys, top clients, slow: what the proxies of this machine have in their telemetry segments.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/samples/samples.h"
#include "base/time/clock.h"
#include "cli/output/format.h"
#include "cli/region/places.h"
#include "cli/verbs/sample_views.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;
namespace samples = base::samples;

struct Options {
  samples::SegmentChoice segments;
  samples::SampleChoice samples;
  std::string over = "1s";
};

using OptionsPtr = std::shared_ptr<Options>;

void add_options(CLI::App& verb, Context& context, Options& options) {
  verb.add_option("--limit", options.samples.most, "at most so many lines (default 20)")
      ->check(CLI::Range(1, 1000));
  verb.add_option("--proxy", options.segments.proxy, "only this proxy");
  verb.add_option("--dir", context.endpoint.dir, "the region's directory (default .mcguard)")
      ->group("Source");
  verb.add_option("--segment", options.segments.files,
                  "telemetry_file of a proxy of this machine, instead of --dir; may be repeated")
      ->group("Source");
  add_output_option(verb, context);
}

base::Result<std::vector<samples::Segment>> open(const Context& context, Options& options) {
  options.segments.dir = Places(context.endpoint.dir).dir;
  return samples::open_segments(options.segments);
}

using ObjectView = std::string (*)(const json::object&, const View&);

int print_object(const Context& context, const json::object& answer, ObjectView view_of) {
  return print_value(context, answer, [&](const json::value& value, const View& view) {
    return view_of(value.get_object(), view);
  });
}

int show_keys(const Context& context, Options& options) {
  const auto segments = open(context, options);
  if (!segments) return report(segments.error());
  return print_object(context, samples::busy_keys(*segments, options.samples), busy_keys_view);
}

int show_slow(const Context& context, Options& options) {
  const auto segments = open(context, options);
  if (!segments) return report(segments.error());
  return print_object(context,
                      samples::slow_requests(*segments, options.samples, base::SystemClock()),
                      slow_requests_view);
}

int show_clients(const Context& context, Options& options) {
  const auto over = options.over == "0" ? base::Duration(0) : parse_duration(options.over);
  if (!over || *over > std::chrono::seconds(60)) {
    return report(base::Error(base::ErrorCode::kInvalid,
                              "--over " + options.over + ": expected 0, or at most 60s"));
  }
  const auto segments = open(context, options);
  if (!segments) return report(segments.error());
  const base::SystemClock clock;
  const base::Instant began = clock.now();
  samples::ClientSums before;
  if (over->count() > 0) {
    before = samples::sum_clients(*segments);
    ::poll(nullptr, 0, static_cast<int>(over->count() / 1'000'000));
  }
  const samples::ClientSums after = samples::sum_clients(*segments);
  const double seconds = over->count() > 0 ? base::to_seconds(clock.now() - began) : 0;
  return print_object(
      context, samples::busy_clients(*segments, before, after, seconds, options.samples.most),
      busy_clients_view);
}

}  // namespace

void add_sample_verbs(CLI::App& app, Context& context) {
  CLI::App* const top = app.get_subcommand("top");
  const auto keys_options = std::make_shared<Options>();
  CLI::App* keys = add_verb(
      *top, context, "keys", "the busiest keys of the last 30 to 60 s, by samples",
      {"top keys", "top keys --cache 12 --limit 5", "top keys --proxy amber-proxy-1 -o json"},
      [&context, keys_options] { return show_keys(context, *keys_options); });
  keys->add_option("--cache", keys_options->samples.cache, "only keys of this cache")
      ->check(CLI::Range(1, (1 << 24) - 1));
  add_options(*keys, context, *keys_options);

  const auto clients_options = std::make_shared<Options>();
  CLI::App* clients = add_verb(
      *top, context, "clients", "the client addresses with the most requests",
      {"top clients", "top clients --over 10s", "top clients --over 0 --limit 100 -o json"},
      [&context, clients_options] { return show_clients(context, *clients_options); });
  clients->add_option("--over", clients_options->over,
                      "time to count for, at most 60s (default 1s); 0: since they came");
  add_options(*clients, context, *clients_options);

  const auto slow_options = std::make_shared<Options>();
  CLI::App* slow =
      add_verb(app, context, "slow", "the last slow requests, with where their time went",
               {"slow", "slow --cache 12", "slow --limit 100 -o json"},
               [&context, slow_options] { return show_slow(context, *slow_options); });
  slow->add_option("--cache", slow_options->samples.cache, "only requests of this cache")
      ->check(CLI::Range(1, (1 << 24) - 1));
  add_options(*slow, context, *slow_options);
}

}  // namespace cli
