#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <memory>

#include "cli/output/format.h"
#include "cli/verbs/top.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

const json::object& as_object(const json::value& value) {
  static const json::object kEmpty;
  return value.is_object() ? value.get_object() : kEmpty;
}

base::Error no_such(const std::string& noun, const std::string& name) {
  return base::Error(base::ErrorCode::kNotFound,
                     "no " + noun + " " + name + "; see mcguard " + noun + " list");
}

// The member of status.clusters called `name`, or an Error.
base::Result<json::object> find_cluster(const json::value& status, const std::string& name) {
  for (const json::value& cluster : list_of(as_object(status), "clusters")) {
    if (text_of(as_object(cluster), "name") == name) return as_object(cluster);
  }
  return no_such("cluster", name);
}

base::Result<json::object> find_by_id(const json::array& list, const std::string& noun,
                                      const std::string& id) {
  for (const json::value& item : list) {
    if (text_of(as_object(item), "id") == id) return as_object(item);
  }
  return no_such(noun, id);
}

int show_cluster(const Context& context, const std::string& name) {
  const auto api = connect(context);
  if (!api) return report(api.error());
  const auto status = api->get("/api/v1/status");
  if (!status) return report(status.error());
  const auto cluster = find_cluster(*status, name);
  if (!cluster) return report(cluster.error());
  return print_value(context, *cluster, [](const json::value& value, const View& view) {
    return cluster_view(as_object(value), view);
  });
}

int show_member(const Context& context, const std::string& noun, const std::string& key,
                const std::string& id) {
  const auto api = connect(context);
  if (!api) return report(api.error());
  const auto all = api->get("/api/v1/" + key);
  if (!all) return report(all.error());
  const auto found = find_by_id(items_of(*all, key), noun, id);
  if (!found) return report(found.error());
  return print_value(context, *found, [](const json::value& value, const View& view) {
    return object_view(as_object(value), view);
  });
}

using ListView = std::string (*)(const json::array&, const View&);

// proxy and backend: the same two verbs.
void add_member_verbs(CLI::App& app, Context& context, const std::string& noun,
                      const std::string& key, ListView view_of) {
  CLI::App* group = add_noun(app, noun, "the " + key + " of the region");
  auto cluster = std::make_shared<std::string>();
  CLI::App* list = add_verb(
      *group, context, "list", "state and figures of all " + key,
      {noun + " list", noun + " list --cluster amber -o json"}, [&context, cluster, key, view_of] {
        const std::string query = cluster->empty() ? "" : "?cluster=" + url_encoded(*cluster);
        return show(context, "/api/v1/" + key + query,
                    [&](const json::value& value, const View& view) {
                      return view_of(items_of(value, key), view);
                    });
      });
  list->add_option("--cluster", *cluster, "only those of this cluster");
  add_read_options(*list, context);

  auto id = std::make_shared<std::string>();
  CLI::App* one = add_verb(*group, context, "show", "everything about one " + noun,
                           {noun + " show amber-" + noun + "-1"}, [&context, id, noun, key] {
                             return show_member(context, noun, key, *id);
                           });
  one->add_option("id", *id, "its id")->required();
  add_read_options(*one, context);
}

void add_cluster_verbs(CLI::App& app, Context& context) {
  CLI::App* group = add_noun(app, "cluster", "the clusters of the region");
  CLI::App* list =
      add_verb(*group, context, "list", "state of all clusters", {"cluster list"}, [&context] {
        return show(context, "/api/v1/status", [](const json::value& value, const View& view) {
          return clusters_view(as_object(value), view);
        });
      });
  add_read_options(*list, context);
  auto name = std::make_shared<std::string>();
  CLI::App* one =
      add_verb(*group, context, "show", "one cluster with its proxies and backends",
               {"cluster show amber"}, [&context, name] { return show_cluster(context, *name); });
  one->add_option("name", *name, "its name")->required();
  add_read_options(*one, context);
}

}  // namespace

void add_read_verbs(CLI::App& app, Context& context) {
  CLI::App* status = add_verb(
      app, context, "status", "the region at a glance", {"status", "status -o json"}, [&context] {
        return show(context, "/api/v1/status", [](const json::value& value, const View& view) {
          return status_view(as_object(value), view);
        });
      });
  add_read_options(*status, context);

  auto frames = std::make_shared<int>(0);
  CLI::App* top = add_verb(app, context, "top", "the region as it changes; q leaves",
                           {"top", "top --frames 1"}, [&context, frames] {
                             const auto api = connect(context);
                             return api ? run_top(*api, *frames) : report(api.error());
                           });
  top->add_option("--frames", *frames, "end after this many pictures (0: never)")
      ->check(CLI::NonNegativeNumber);
  add_connection_options(*top, context);

  add_cluster_verbs(app, context);
  add_member_verbs(app, context, "proxy", "proxies", proxies_view);
  add_member_verbs(app, context, "backend", "backends", backends_view);
  add_conns_verb(app, context);
}

}  // namespace cli
