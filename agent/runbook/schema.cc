#include "agent/runbook/schema.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace agent::runbook {
namespace {

namespace json = boost::json;

// A document of the schema, written out as it is read.
json::value parse(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size()));
}

json::object reference_to(std::string_view definition) {
  json::object object;
  object["$ref"] = "#/definitions/" + std::string(definition);
  return object;
}

// The forms that many keys share.
constexpr std::string_view kDefinitions = R"json({
  "name": {
    "description": "a-z, 0-9, - and _, at most 64 long",
    "type": "string",
    "pattern": "^[a-z0-9_-]{1,64}$"
  },
  "text": {"type": ["string", "number", "boolean"]},
  "reference": {"type": "string", "pattern": "\\$\\{[a-z0-9_.-]+\\}"},
  "duration": {
    "description": "a number and its unit: 250ms, 5s, 10m, 2h, 1d",
    "type": "string",
    "pattern": "^(0|[1-9][0-9]*)(us|ms|s|m|h|d)$"
  },
  "condition": {
    "description": "or · and · not · one comparison (== != < <= > >=) · parentheses, over facts, numbers, shares (15%), durations (5s), ${references} and words",
    "type": "string",
    "maxLength": 1000
  },
  "guards": {
    "description": "what must hold before something is touched, over these facts: healthy, healthy_after, load, load_after, telemetry_age, correlated_failure, budget, target.dead, target.serving, target.state, policy.min_healthy, class, confidence; what is not known does not hold",
    "type": "array",
    "items": {"$ref": "#/definitions/condition"}
  },
  "retry": {
    "description": "after errors that certainly did nothing; never after unknown or timeout",
    "type": "object",
    "additionalProperties": false,
    "required": ["on"],
    "properties": {
      "max": {"type": "integer", "minimum": 1, "maximum": 10, "default": 2},
      "on": {
        "type": "array",
        "items": {"enum": ["unavailable", "conflict", "exhausted", "io", "refused"]}
      },
      "backoff_min": {"$ref": "#/definitions/duration", "default": "100ms"},
      "backoff_max": {"$ref": "#/definitions/duration", "default": "2s"}
    }
  }
})json";

constexpr std::string_view kParams = R"json({
  "description": "what a person or an incident gives; ${name} stands for it, ${name.cluster} and such for its fields",
  "type": "object",
  "propertyNames": {
    "allOf": [
      {"$ref": "#/definitions/name"},
      {"not": {"enum": ["steps", "run", "policy", "item"]}}
    ]
  },
  "additionalProperties": {
    "type": "object",
    "additionalProperties": false,
    "required": ["type"],
    "properties": {
      "type": {
        "description": "one of several targets as in cache|backend",
        "type": "string",
        "pattern": "^(text|number|duration|(proxy|backend|cluster|cache)(\\|(proxy|backend|cluster|cache))*)$"
      },
      "required": {"type": "boolean", "default": false},
      "default": {"$ref": "#/definitions/text"}
    }
  }
})json";

constexpr std::string_view kCooldown = R"json({
  "description": "the time after a run before the next with the same key; it grows each time the symptom returns soon after a run that was verified",
  "type": "object",
  "additionalProperties": false,
  "required": ["key"],
  "properties": {
    "key": {"type": "string"},
    "base": {"$ref": "#/definitions/duration", "default": "5m"},
    "factor": {"type": "number", "minimum": 1, "maximum": 100, "default": 2},
    "max": {"$ref": "#/definitions/duration", "default": "2h"},
    "on_exhausted": {"enum": ["hand_over", "wait"], "default": "hand_over"}
  }
})json";

constexpr std::string_view kApprove = R"json({
  "description": "when a person is asked first",
  "type": "object",
  "additionalProperties": false,
  "required": ["when"],
  "properties": {
    "when": {
      "description": "over class and confidence",
      "$ref": "#/definitions/condition"
    },
    "timeout": {"$ref": "#/definitions/duration", "default": "5m"},
    "on_timeout": {"enum": ["abort", "hand_over"], "default": "abort"}
  }
})json";

// Of an argument: its plain value, or a reference.
json::object shape_of(ParamType type) {
  json::object shape;
  switch (type) {
    case ParamType::kNumber:
      shape["anyOf"] = parse(R"([{"type": "number"}, {"type": "string", "pattern": "^-?[0-9.]+$"},
                                 {"$ref": "#/definitions/reference"}])");
      break;
    case ParamType::kDuration:
      shape["anyOf"] =
          parse(R"([{"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d)?$"},
                    {"type": "number", "minimum": 0, "maximum": 86400},
                    {"$ref": "#/definitions/reference"}])");
      break;
    case ParamType::kCache:
      shape["type"] = parse(R"(["string", "integer"])");
      break;
    case ParamType::kText:
      shape["type"] = parse(R"(["string", "number"])");
      break;
    default:
      shape["type"] = "string";
      shape["minLength"] = 1;
      break;
  }
  return shape;
}

json::object arguments_of(const ActionInfo& info) {
  json::object properties;
  json::array required;
  for (const ActionInput& input : info.inputs) {
    json::object shape = shape_of(input.type);
    shape["description"] = to_string(input.type);
    properties[input.name] = std::move(shape);
    if (input.required) required.push_back(json::value(input.name));
  }
  json::object with;
  with["type"] = "object";
  with["additionalProperties"] = false;
  with["properties"] = std::move(properties);
  if (!required.empty()) with["required"] = std::move(required);
  if (!info.one_of.empty()) {
    json::array any;
    for (const std::string& name : info.one_of) {
      json::object one;
      one["required"] = json::array{json::value(name)};
      any.push_back(std::move(one));
    }
    with["anyOf"] = std::move(any);
  }
  return with;
}

json::object property_of_action(const ActionRegistry& actions, Class worst) {
  json::array names;
  json::array choices;
  for (const ActionInfo* info : actions.list()) {
    if (info->cls > worst) continue;
    json::object choice;
    choice["const"] = info->name;
    choice["description"] = info->summary + " Class " + std::string(to_string(info->cls)) +
                            (info->reversible ? ", reversible." : ".");
    choices.push_back(std::move(choice));
  }
  json::object property;
  property["description"] = "the action";
  property["oneOf"] = std::move(choices);
  return property;
}

// if `do` is this action, `with` is as it takes it.
json::array arguments_by_action(const ActionRegistry& actions) {
  json::array rules;
  for (const ActionInfo* info : actions.list()) {
    json::object named;
    named["const"] = info->name;
    json::object condition, consequence;
    condition["properties"] = json::object{{"do", std::move(named)}};
    condition["required"] = json::array{json::value("do")};
    json::object with = arguments_of(*info);
    const bool is_needed = with.contains("required") || with.contains("anyOf");
    consequence["properties"] = json::object{{"with", std::move(with)}};
    if (is_needed) consequence["required"] = json::array{json::value("with")};
    json::object rule;
    rule["if"] = std::move(condition);
    rule["then"] = std::move(consequence);
    rules.push_back(std::move(rule));
  }
  return rules;
}

// An object with `do`, `with` and these other properties.
json::object calling(const ActionRegistry& actions, Class worst, std::string_view description,
                     std::string_view more, std::initializer_list<const char*> required) {
  json::object properties;
  properties["do"] = property_of_action(actions, worst);
  properties["with"] = parse(R"({"description": "its arguments", "type": "object"})");
  const json::value others = parse(more);
  for (const auto& [name, shape] : others.as_object()) properties[name] = shape;
  json::object object;
  object["description"] = json::string_view(description.data(), description.size());
  object["type"] = "object";
  object["additionalProperties"] = false;
  json::array names;
  for (const char* name : required) names.push_back(json::value(name));
  object["required"] = std::move(names);
  object["properties"] = std::move(properties);
  object["allOf"] = arguments_by_action(actions);
  return object;
}

json::object step_of(const ActionRegistry& actions) {
  json::object step = calling(actions, Class::kDestructive, "one act of the run", R"json({
  "id": {"description": "names the step: ${steps.<id>.<field>}", "$ref": "#/definitions/name"},
  "when": {"description": "else the step is left out", "$ref": "#/definitions/condition"},
  "each": {
    "description": "a list, frozen by the plan, with a step for each member, which is ${item}",
    "type": "string",
    "pattern": "^\\$\\{[a-z0-9_-]+\\.(proxies|backends|dead_proxies)\\}$"
  },
  "timeout": {"$ref": "#/definitions/duration", "default": "30s"},
  "retry": {"$ref": "#/definitions/retry"},
  "point_of_no_return": {
    "description": "from here on the run goes forward only",
    "type": "boolean",
    "default": false
  },
  "guards": {"$ref": "#/definitions/guards"}
})json",
                              {"id", "do"});
  json::object& properties = step["properties"].as_object();
  json::object probe = property_of_action(actions, Class::kDestructive);
  probe["description"] = "the action that is asked after a crash whether it happened; default: do";
  properties["probe"] = std::move(probe);
  properties["verify"] = reference_to("verify");
  properties["undo"] = reference_to("undo");
  return step;
}

void write(const json::value& value, const std::string& indent, std::string& out);

template <class Items, class Begin>
void write_all(const Items& items, char open, char close, const std::string& indent,
               std::string& out, const Begin& begin) {
  out += open;
  const char* comma = "\n";
  for (const auto& item : items) {
    out += comma + indent + "  ";
    write(begin(item), indent + "  ", out);
    comma = ",\n";
  }
  out += "\n" + indent + close;
}

void write(const json::value& value, const std::string& indent, std::string& out) {
  if (value.is_object() && !value.get_object().empty()) {
    write_all(value.get_object(), '{', '}', indent, out, [&out](const auto& entry) {
      out += json::serialize(json::string_view(entry.key())) + ": ";
      return entry.value();
    });
  } else if (value.is_array() && !value.get_array().empty()) {
    write_all(value.get_array(), '[', ']', indent, out,
              [](const json::value& item) { return item; });
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

json::object json_schema(const ActionRegistry& actions) {
  json::object definitions = parse(kDefinitions).as_object();
  definitions["step"] = step_of(actions);
  definitions["verify"] =
      calling(actions, Class::kObserve,
              "holds when the action passes without a break for `for`, before `within` has gone by",
              R"json({
  "for": {"$ref": "#/definitions/duration", "default": "0s"},
  "within": {"$ref": "#/definitions/duration", "default": "30s"},
  "every": {"$ref": "#/definitions/duration", "default": "250ms"}
})json",
              {"do"});
  definitions["undo"] =
      calling(actions, Class::kDestructive, "what takes the step back", "{}", {"do"});

  json::object properties = parse(R"json({
  "runbook": {"description": "its name", "$ref": "#/definitions/name"},
  "version": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 1},
  "summary": {"description": "one sentence", "type": "string"},
  "class": {
    "description": "at least that of its actions",
    "enum": ["observe", "reversible", "disruptive", "destructive"]
  },
  "locks": {
    "description": "held as long as the run lives, such as cluster/${proxy.cluster}",
    "type": "array",
    "items": {"type": "string"}
  },
  "guards": {"$ref": "#/definitions/guards"},
  "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/step"}}
})json")
                                .as_object();
  properties["params"] = parse(kParams);
  properties["cooldown"] = parse(kCooldown);
  properties["approve"] = parse(kApprove);

  json::object schema;
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "mcguard runbook";
  schema["description"] = "A codified response to an incident. Made by: mcguard runbook schema";
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  schema["required"] = parse(R"(["runbook", "class", "steps"])");
  schema["properties"] = std::move(properties);
  schema["definitions"] = std::move(definitions);
  return schema;
}

std::string readable(const json::value& value) {
  std::string out;
  write(value, "", out);
  return out + "\n";
}

}  // namespace agent::runbook
