#include "cli/verbs/sample_views.h"

#include <boost/json/array.hpp>

#include "cli/output/format.h"
#include "cli/output/table.h"

namespace cli {
namespace {

namespace json = boost::json;

std::string proxies_of(const json::object& answer) {
  const json::array& names = list_of(answer, "proxies");
  if (names.size() == 1 && names[0].is_string()) return std::string(names[0].get_string());
  return std::to_string(names.size()) + " proxies";
}

Cell written_cell(const json::object& request) {
  const json::value* const written = request.if_contains("written_seconds");
  if (written == nullptr || written->is_null()) return number_cell("?");
  return number_cell(format_latency(number_of(request, "written_seconds")));
}

std::vector<Cell> slow_row(const json::object& request, bool with_proxy, const View& view) {
  const auto latency = [&](const char* key) {
    return number_cell(format_latency(number_of(request, key)));
  };
  const std::string outcome = text_of(request, "outcome");
  std::vector<Cell> row = {number_cell(format_since(text_of(request, "at"), view.now)),
                           latency("seconds"),
                           latency("queued_seconds"),
                           latency("backend_seconds"),
                           written_cell(request),
                           text_of(request, "operation"),
                           Cell(outcome, outcome == "answered" ? Style::kPlain : Style::kBad),
                           text_of(request, "backend")};
  if (with_proxy) row.emplace_back(text_of(request, "proxy"));
  row.emplace_back(text_of(request, "client"));
  row.push_back(number_cell(text_of(request, "cache")));
  row.emplace_back(text_of(request, "key"));
  return row;
}

}  // namespace

std::string busy_keys_view(const json::object& answer, const View& view) {
  const double one_in = number_of(answer, "keys_one_in");
  const std::string who = proxies_of(answer);
  if (one_in == 0) return who + ": no keys are sampled (samples.keys_one_in is 0)\n";
  if (list_of(answer, "keys").empty()) {
    return who + ": no key was sampled in the last minute (one in " + format_count(one_in) +
           " is)\n";
  }
  Table table({"REQ/S", "SHARE", "MISSES", "WRITES", "SAMPLES", "ERROR", "CACHE", "KEY"});
  for (const json::value& item : list_of(answer, "keys")) {
    const json::object& key = item.as_object();
    const double error =
        std::max(number_of(key, "at_most_too_high"), number_of(key, "at_most_too_low"));
    table.add({number_cell(format_rate(number_of(key, "requests_per_second"))),
               number_cell(format_share(number_of(key, "share"))),
               number_cell(format_share(number_of(key, "misses"))),
               number_cell(format_share(number_of(key, "writes"))),
               number_cell(format_count(number_of(key, "samples"))),
               number_cell(error == 0 ? "0" : "±" + format_count(error)),
               number_cell(text_of(key, "cache")), text_of(key, "key")});
  }
  return table.render(view.terminal) + who +
         ", the last 30 to 60 s: " + format_count(number_of(answer, "samples")) +
         " samples, one key in " + format_count(one_in) + "\n";
}

std::string busy_clients_view(const json::object& answer, const View& view) {
  const double seconds = number_of(answer, "seconds");
  if (list_of(answer, "clients").empty()) return proxies_of(answer) + ": no client has come\n";
  const bool rates = seconds > 0;
  Table table(
      {rates ? "REQ/S" : "REQUESTS", rates ? "BYTES/S" : "BYTES", "CONNS", "OPENED", "ADDRESS"});
  for (const json::value& item : list_of(answer, "clients")) {
    const json::object& client = item.as_object();
    table.add({number_cell(rates ? format_rate(number_of(client, "requests_per_second"))
                                 : format_count(number_of(client, "requests"))),
               number_cell(format_bytes(number_of(client, rates ? "bytes_per_second" : "bytes"))),
               number_cell(format_count(number_of(client, "connections"))),
               number_cell(format_count(number_of(client, "opened"))), text_of(client, "address")});
  }
  return table.render(view.terminal) + proxies_of(answer) +
         (rates ? ", over " + format_latency(seconds) : ", since the first connection of each") +
         "\n";
}

std::string slow_requests_view(const json::object& answer, const View& view) {
  const std::string totals =
      proxies_of(answer) + ": " + format_count(number_of(answer, "slow_requests")) +
      " slow requests since the start, " + format_count(number_of(answer, "kept")) + " kept\n";
  if (list_of(answer, "requests").empty()) return totals;
  // The key comes last and is cut: room for it is worth a column that says the same in every line.
  const bool several = list_of(answer, "proxies").size() > 1;
  std::vector<std::string> headers = {"AGO",     "TOTAL",     "QUEUED",  "BACKEND",
                                      "WRITTEN", "OPERATION", "OUTCOME", "TO"};
  if (several) headers.emplace_back("PROXY");
  headers.insert(headers.end(), {"CLIENT", "CACHE", "KEY"});
  Table table(std::move(headers));
  for (const json::value& item : list_of(answer, "requests")) {
    table.add(slow_row(item.as_object(), several, view));
  }
  return table.render(view.terminal) + totals;
}

}  // namespace cli
