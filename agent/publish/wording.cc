// The words used when the region's policy has none of its own. Each sentence says what a customer
// notices and what happens next; no machine is named.
#include "agent/publish/build.h"

namespace agent::publish {

namespace {

using incident::Type;

std::string place(const incident::Scope& scope) {
  return scope.cluster.empty() ? "several clusters" : "cluster " + scope.cluster;
}

// The title and what is seen; what is done about it.
struct Story {
  std::string title;
  std::string seen;
  std::string remedy;
  std::string over;
};

Story story_of(Type type, const std::string& at) {
  switch (type) {
    case Type::kProxyDead:
    case Type::kProxyStuck:
      return {
          "Some connections fail on " + at,
          "Some connections to " + at + " fail or are not answered. Other connections to it work.",
          "We are replacing the part of " + at +
              " that does not answer. Clients that reconnect are served.",
          "New connections to " + at + " are accepted everywhere again."};
    case Type::kBackendDead:
    case Type::kBackendStuck:
      return {"Part of the cache contents is missing on " + at,
              "Part of what is stored on " + at +
                  " cannot be read: such requests find nothing or fail.",
              "We are moving the affected part of " + at +
                  " to healthy memory. It starts empty there and fills again as you store.",
              "Everything on " + at +
                  " can be stored and read again. Part of the contents was lost and fills again."};
    case Type::kConnectionSurge:
      return {"Connecting is slow on " + at,
              "Far more connections than usual arrive at " + at + "; connecting may take longer.",
              "We are limiting the surge on " + at + " so that established clients stay served.",
              "The number of connections to " + at + " is back to normal."};
    case Type::kClientFlood:
      return {"High load on " + at,
              "One client sends far more than its share to " + at +
                  "; connecting and some requests may take longer.",
              "The cause is the load of one client of " + at +
                  ". We are working on it; contents are not affected.",
              "The load on " + at + " is back to normal."};
    case Type::kNetworkDegraded:
      return {"Slow answers from " + at,
              "A share of the requests to " + at + " is answered much slower than usual.",
              "The cause is the network inside " + at +
                  ". We are working on it; contents are not affected.",
              "Response times of " + at + " are back to normal."};
    case Type::kMemberSlow:
      return {"Slow answers from " + at,
              "A share of the requests to " + at + " is answered much slower than usual.",
              "A part of " + at +
                  " is slower than usual. We are working on it; contents are not affected.",
              "Response times of " + at + " are back to normal."};
    case Type::kClusterLost:
      return {"Outage of " + at, "Requests to " + at + " are not answered.",
              "We are restoring " + at + ". Service comes before contents: it may return empty.",
              "Service of " + at + " is restored. Its contents may have been lost and fill again."};
    case Type::kSeveralClusters:
      return {"Trouble on several clusters",
              "Several clusters show trouble at the same time: requests may be slow or fail.",
              "We are restoring the clusters one after the other.",
              "All clusters work normally again."};
    case Type::kControlPlaneLost:
      return {"Automatic repair is limited",
              "Caches work normally, but our automatic repair and this page's updates are limited.",
              "We are restoring automatic repair. Caches are not affected.",
              "Automatic repair works again. Caches were not affected."};
    case Type::kResourcesLow:
    case Type::kCertificateExpiring:
    case Type::kOther:
      break;
  }
  return {"Unusual behaviour on " + at, "We see unusual behaviour on " + at + ".",
          "We are looking into it.", "Everything on " + at + " looks normal again."};
}

}  // namespace

Wording default_wording(Type type, const incident::Scope& scope) {
  const Story story = story_of(type, place(scope));
  Wording wording;
  wording.title = story.title;
  wording.investigating = story.seen + " We are investigating.";
  wording.identified = story.remedy;
  wording.monitoring = story.over + " We are watching that it stays so.";
  wording.resolved = story.over;
  return wording;
}

}  // namespace agent::publish
