// Samples: what the collectors feed to the rules.
//
// A series is a named stream with labels. Rules are pure functions over series and time, so this
// struct is all they ever see; a recorded file of samples replays to the same verdicts.
//
// The series that collect/ produces (labels in braces; times are CLOCK_MONOTONIC):
//   proxy_exited{cluster,proxy}                1 when the process has ended, else 0; on change, 1 Hz
//   proxy_heartbeat_age_seconds{cluster,proxy} oldest worker heartbeat; 10 Hz
//   proxy_connections{cluster,proxy}           established client connections (kernel); 1 Hz
//   proxy_connections_opened{cluster,proxy}    opened in the last second; 1 Hz
//   proxy_requests{cluster,proxy}              clients' requests a second, without the agent's
//                                              canaries; 1 Hz
//   proxy_failures{cluster,proxy}              value = its clients' requests that failed and not by
//                                              their own fault, weight = all of them without the
//                                              agent's canaries; of the last 10 s; 1 Hz
//   proxy_p99_seconds{cluster,proxy}           of its requests to backends in the last 10 s, weight =
//                                              how many; 1 Hz
//   proxy_processor_seconds{cluster,proxy}     value = processor time that its process took in the
//                                              last 10 s, weight = requests in them; 1 Hz
//   proxy_busy{cluster,proxy}                  how busy its busiest worker was since the sample before: value =
//                                              share of the time that it worked, weight = that it worked
//                                              or waited for a core; 10 Hz, none from a proxy that does
//                                              not tell
//   proxy_waited{cluster,proxy}                share of the same time that the worker waited for a core which
//                                              waited most; with proxy_busy, none where the kernel does not
//                                              tell, whose proxy_busy then says nothing of waiting
//   proxy_draining{cluster,proxy}              1 while it drains, else 0; 1 Hz
//   proxy_commands{cluster,proxy}              what all clients sent a second, malformed commands included;
//                                              1 Hz while a worker is half busy or more, or requests are
//                                              turned away, else each 10 s
//   client_commands{cluster,proxy,client}      the same of the clients who sent most, at most 10 a proxy
//   proxy_refused{cluster,proxy}               value = requests a second that were turned away at a limit of
//                                              the proxy's own; with proxy_commands
//   proxy_unqueued{cluster,proxy}              value = likewise those for which a backend's queue had no room
//   client_connections{cluster,proxy,client}   top client addresses, at most 10 a proxy; 1 Hz
//   canary_ok{cluster,proxy,backend}           1 or 0 per probe (set and get through the proxy)
//   canary_seconds{cluster,proxy,backend}      duration of a successful probe; without a backend: of all of
//                                              them together, as it is while all are well
//   backend_exited{cluster,backend}            as proxy_exited
//   backend_probe_ok{cluster,backend}          1 or 0: the agent's own probe, straight to memcached
//   backend_failures{cluster,backend}          value = the proxies' requests that it failed, weight =
//                                              all; of the last 10 s; 1 Hz
//   backend_p99_seconds{cluster,backend}       as proxy_p99_seconds, of all proxies together
//   backend_connection_slots{cluster,backend}  value = memcached's open connections, weight = its
//                                              limit; at each reading of its statistics
//   proxy_descriptors{cluster,proxy}           value = open files, weight = its limit; 1 Hz
//   proxy_connection_slots{cluster,proxy}      value = its open connections, weight = its limit; 1 Hz
//   host_memory_bytes                          value = in use or promised to memcached, weight = all;
//                                              1 Hz
//   certificate_seconds{cluster}               until the proxies' TLS certificate ends; each minute
//   backend_oldest_in_flight_seconds{cluster,proxy,backend}
//                                              age of the oldest outstanding request; 10 Hz while
//                                              it is 100 ms or more, else 1 Hz
//   backend_connected{cluster,proxy,backend}   share of workers that are connected; with the
//                                              series before, and on change
//   link_pace{cluster,proxy,backend}           one 10 ms slot: value = slow requests, weight = all
//   echo_seconds{cluster,proxy,backend}        round trip of a UDP echo over that link, without the time for
//                                              which it lay at either end; up to 5 a second
//   echo_lost{cluster,proxy,backend}           1 for each echo not answered within a second
//   telemetry_age_seconds{cluster,proxy}       since the segment was last read whole; 10 Hz
#pragma once

#include <compare>
#include <string>

#include "agent/series/label.h"
#include "base/time/clock.h"

namespace agent::series {

// Labels not applicable are empty. Ordering makes it a map key.
struct SeriesKey {
  Label name;
  Label cluster;
  Label proxy;
  Label backend;
  std::string client;  // an address: strangers choose it
  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

// "link_pace{cluster=amber,proxy=amber-proxy-1,backend=amber-backend-1}", as evidence names it.
std::string to_string(const SeriesKey& key);

struct Sample {
  SeriesKey key;
  base::Instant at;
  double value = 0;
  double weight = 1;  // how many observations the value is about; see link_pace
};

}  // namespace agent::series
