#include <CLI/CLI.hpp>
#include <memory>

#include "base/core/text.h"
#include "cli/output/format.h"
#include "cli/verbs/requests.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr const char* kCaches = "/api/v1/caches";
constexpr const char* kCredentials = "/api/v1/credentials";

std::string any_object_view(const json::value& value, const View& view) {
  return value.is_object() ? object_view(value.get_object(), view) : std::string();
}

// The answer has a password that is shown this once: it is printed whole.
int act_and_show(const Context& context, const Act& what) {
  if (context.dry_run) return say_dry_run(context, what);
  const auto answer = send(context, what);
  if (!answer) return report(answer.error());
  return print_value(context, *answer, any_object_view);
}

struct NewCache {
  std::string label, cluster, plan, limit;
};

int create_cache(const Context& context, const NewCache& wanted) {
  Act what;
  what.path = kCaches;
  what.body["label"] = wanted.label;
  what.body["cluster"] = wanted.cluster;
  if (!wanted.plan.empty()) what.body["plan"] = wanted.plan;
  if (!wanted.limit.empty()) {
    const auto limit = parse_bytes(wanted.limit);
    if (!limit) {
      return report(base::Error(
          base::ErrorCode::kInvalid,
          "--limit: got \"" + base::printable(wanted.limit) + "\", expected a size like 64MiB"));
    }
    what.body["limit_bytes"] = *limit;
  }
  return act_and_show(context, what);
}

void add_cache_verbs(CLI::App& app, Context& context) {
  CLI::App* group = add_noun(app, "cache", "the caches of customers");
  CLI::App* list = add_verb(*group, context, "list", "all caches", {"cache list"}, [&context] {
    return show(context, kCaches, [](const json::value& value, const View& view) {
      return caches_view(items_of(value, "caches"), view);
    });
  });
  add_read_options(*list, context);

  auto id = std::make_shared<std::string>();
  const auto path = [id] { return std::string(kCaches) + "/" + url_encoded(*id); };
  CLI::App* one =
      add_verb(*group, context, "show", "one cache with its credentials", {"cache show 1"},
               [&context, path] { return show(context, path(), any_object_view); });
  one->add_option("id", *id, "its number")->required();
  add_read_options(*one, context);

  auto wanted = std::make_shared<NewCache>();
  CLI::App* create = add_verb(*group, context, "create",
                              "a new cache; shows its credential, password included, once",
                              {"cache create --label shop --cluster amber --limit 64MiB"},
                              [&context, wanted] { return create_cache(context, *wanted); });
  create->add_option("--label", wanted->label, "what people call it")->required();
  create->add_option("--cluster", wanted->cluster, "where it lives")->required();
  create->add_option("--plan", wanted->plan, "its plan");
  create->add_option("--limit", wanted->limit, "memory, like 64MiB");
  add_act_options(*create, context);

  CLI::App* remove = add_verb(*group, context, "delete", "delete a cache and its credentials",
                              {"cache delete 12"}, [&context, id, path] {
                                Act what;
                                what.method = "DELETE";
                                what.path = path();
                                return act(context, what, "deleted cache " + *id);
                              });
  remove->add_option("id", *id, "its number")->required();
  add_act_options(*remove, context);
}

int with_capabilities(const std::string& names, Act& what) {
  if (names.empty()) return kDone;
  const auto capabilities = capabilities_body(names);
  if (!capabilities) return report(capabilities.error());
  for (const auto& [key, value] : *capabilities) what.body[key] = value;
  return kDone;
}

void add_credential_acts(CLI::App& group, Context& context) {
  auto cache = std::make_shared<uint64_t>(0);
  auto names = std::make_shared<std::string>();
  CLI::App* create =
      add_verb(group, context, "create", "a new credential; shows its password once",
               {"credential create --cache 1 --capabilities write"}, [&context, cache, names] {
                 Act what;
                 what.path = kCredentials;
                 what.body["cache"] = *cache;
                 if (const int wrong = with_capabilities(*names, what); wrong != kDone)
                   return wrong;
                 return act_and_show(context, what);
               });
  create->add_option("--cache", *cache, "number of its cache")->required();
  create->add_option("--capabilities", *names, "none, or some of write,flush,api (default: all)");
  add_act_options(*create, context);

  auto user = std::make_shared<std::string>();
  const auto path = [user] { return std::string(kCredentials) + "/" + url_encoded(*user); };
  CLI::App* update = add_verb(group, context, "update", "change what a credential may do, at once",
                              {"credential update u1a2b3 --capabilities write,flush"},
                              [&context, user, names, path] {
                                Act what;
                                what.method = "PATCH";
                                what.path = path();
                                const int wrong = with_capabilities(*names, what);
                                if (wrong != kDone) return wrong;
                                return act(context, what, "updated " + *user);
                              });
  update->add_option("user", *user, "its username")->required();
  update->add_option("--capabilities", *names, "none, or some of write,flush,api")->required();
  add_act_options(*update, context);

  CLI::App* remove = add_verb(group, context, "delete", "delete a credential",
                              {"credential delete u1a2b3"}, [&context, user, path] {
                                Act what;
                                what.method = "DELETE";
                                what.path = path();
                                return act(context, what, "deleted " + *user);
                              });
  remove->add_option("user", *user, "its username")->required();
  add_act_options(*remove, context);
}

void add_credential_verbs(CLI::App& app, Context& context) {
  CLI::App* group = add_noun(app, "credential", "who may use a cache, and for what");
  auto cache = std::make_shared<std::string>();
  CLI::App* list = add_verb(
      *group, context, "list", "credentials, without their passwords",
      {"credential list", "credential list --cache 1"}, [&context, cache] {
        const std::string query = cache->empty() ? "" : "?cache=" + url_encoded(*cache);
        return show(context, kCredentials + query, [](const json::value& value, const View& view) {
          return credentials_view(items_of(value, "credentials"), view);
        });
      });
  list->add_option("--cache", *cache, "only those of this cache");
  add_read_options(*list, context);
  add_credential_acts(*group, context);
}

}  // namespace

void add_tenant_verbs(CLI::App& app, Context& context) {
  add_cache_verbs(app, context);
  add_credential_verbs(app, context);
}

}  // namespace cli
