// The forwarder's verbs: JSON in, JSON out. links.set, links.list, fault.set, fault.clear, fault.list.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/core/result.h"
#include "base/net/rpc.h"
#include "cli/forwarder/forwarder.h"

namespace cli {

base::Result<std::vector<LinkSpec>> parse_links(const boost::json::object& args);
base::Result<Fault> parse_fault(const boost::json::object& args);

// Blocks until the forwarder's loop has done it. Not on the loop's thread.
base::Result<boost::json::value> answer_control(Forwarder& forwarder,
                                                const base::net::RpcRequest& request);

}  // namespace cli
