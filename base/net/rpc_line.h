// The lines of rpc.h: how a request and an answer look, without any socket. Parsing takes whatever
// a peer sends and answers with a Result; nothing here throws.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/net/rpc.h"

namespace base::net {

// Without the newline.
std::string encode_rpc_request(const RpcRequest& request);
std::string encode_rpc_answer(const Result<boost::json::value>& answer);

Result<RpcRequest> parse_rpc_request(std::string_view line);
// The value or error that the server sent; kInternal when the line is not an answer at all.
Result<boost::json::value> parse_rpc_answer(std::string_view line);

}  // namespace base::net
