// memjs against a mcguard cache: prints one JSON line of what happened.
// node client.js SERVERS USERNAME PASSWORD flush|noflush
const memjs = require('memjs');

const [servers, username, password] = process.argv.slice(2);
const client = memjs.Client.create(servers, {username, password, retries: 1, timeout: 2});

async function main() {
  const seen = {};
  seen.set = await client.set('compat:memjs', 'one', {expires: 60});
  seen.get = (await client.get('compat:memjs')).value.toString();
  seen.miss = (await client.get('compat:nothing')).value;
  seen.add = await client.add('compat:memjs', 'two', {});
  seen.replace = await client.replace('compat:memjs', 'three', {});
  await client.delete('compat:memjs:n');  // of a run before
  seen.incr = (await client.increment('compat:memjs:n', 5, {initial: 7})).value;
  seen.incr2 = (await client.increment('compat:memjs:n', 5, {initial: 7})).value;
  seen.append = await client.append('compat:memjs', '!');
  seen.get2 = (await client.get('compat:memjs')).value.toString();
  seen.touch = await client.touch('compat:memjs', 100);
  seen.delete = await client.delete('compat:memjs');
  seen.deleted = (await client.get('compat:memjs')).value;
  seen.keep = await client.set('compat:memjs:keep', 'kept', {expires: 60});
  try {
    seen.flush = await new Promise((resolve, reject) =>
        client.flush((error, results) => (error ? reject(error) : resolve(results))));
  } catch (error) {
    seen.flushError = String(error.message || error);
  }
  const kept = (await client.get('compat:memjs:keep')).value;
  seen.kept = kept && kept.toString();
  console.log(JSON.stringify(seen));
  client.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
