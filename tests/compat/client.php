<?php
// php-memcached against a mcguard cache: prints one JSON line of what happened.
// php client.php SERVERS USERNAME PASSWORD
[, $servers, $username, $password] = $argv;
$client = new Memcached();
$client->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
$client->setOption(Memcached::OPT_CONNECT_TIMEOUT, 2000);
$client->setSaslAuthData($username, $password);
foreach (explode(',', $servers) as $server) {
    [$host, $port] = explode(':', $server);
    $client->addServer($host, (int)$port);
}
$key = 'compat:php';
$orNull = fn($value) => $value === false ? null : $value;
$seen = [];
$seen['set'] = $client->set($key, 'one', 60);
$seen['said'] = $client->getResultMessage();
$seen['get'] = $client->get($key);
$seen['miss'] = $orNull($client->get('compat:nothing'));
$seen['add'] = $client->add($key, 'two');
$seen['replace'] = $client->replace($key, 'thre');
$client->delete("$key:n");  // of a run before
$seen['incr'] = $client->increment("$key:n", 5, 7);
$seen['incr2'] = $client->increment("$key:n", 5, 7);
$items = [];
for ($i = 0; $i < 50; ++$i) $items["$key:$i"] = $i;
$seen['set_multi'] = $client->setMulti($items);
$seen['multi'] = count($client->getMulti([...array_keys($items), "$key:none"]));
$found = $client->get($key, null, Memcached::GET_EXTENDED);
$seen['cas'] = $client->cas($found['cas'], $key, $found['value'] . 'e');
$seen['cas_again'] = $client->cas($found['cas'], $key, 'never');
$client->setOption(Memcached::OPT_COMPRESSION, false);
$seen['append'] = $client->append($key, '!');
$seen['get2'] = $client->get($key);
$seen['touch'] = $client->touch($key, 100);
$seen['delete'] = $client->delete($key);
$seen['deleted'] = $orNull($client->get($key));
$seen['keep'] = $client->set("$key:keep", 'kept');
if (!$client->flush()) $seen['flushError'] = $client->getResultMessage();
$seen['kept'] = $orNull($client->get("$key:keep"));
echo json_encode($seen), "\n";
