// spymemcached against a mcguard cache: prints one JSON line of what happened.
// java -cp spymemcached.jar Client.java SERVERS USERNAME PASSWORD

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.OperationTimeoutException;
import net.spy.memcached.auth.AuthDescriptor;
import net.spy.memcached.auth.PlainCallbackHandler;
import net.spy.memcached.internal.OperationFuture;

class Client {
  static final String KEY = "compat:spymemcached";

  static <T> T done(OperationFuture<T> future) throws Exception {
    return future.get(5, TimeUnit.SECONDS);
  }

  // It connects again after a status that it does not know, as a refused flush has, which takes it two
  // seconds; what it is asked meanwhile it cancels, lets time out, or calls a miss.
  static Object getAgain(MemcachedClient client, String key) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    for (;;) {
      boolean last = System.nanoTime() > deadline;
      try {
        Object found = client.get(key);
        if (found != null || last) return found;
      } catch (CancellationException | OperationTimeoutException error) {
        if (last) throw error;
      }
    }
  }

  static Map<String, Object> use(MemcachedClient client) throws Exception {
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("set", done(client.set(KEY, 60, "one")));
    seen.put("get", client.get(KEY));
    seen.put("miss", client.get("compat:nothing"));
    seen.put("add", done(client.add(KEY, 60, "two")));
    seen.put("replace", done(client.replace(KEY, 60, "thre")));
    done(client.delete(KEY + ":n"));  // of a run before
    seen.put("incr", client.incr(KEY + ":n", 5, 7));
    seen.put("incr2", client.incr(KEY + ":n", 5, 7));
    List<String> keys = new ArrayList<>();
    List<OperationFuture<Boolean>> sets = new ArrayList<>();
    for (int i = 0; i < 50; ++i) {
      keys.add(KEY + ":" + i);
      sets.add(client.set(KEY + ":" + i, 60, "v" + i));
    }
    boolean all = true;
    for (OperationFuture<Boolean> set : sets) all &= done(set);
    seen.put("set_multi", all);
    keys.add(KEY + ":none");
    seen.put("multi", client.getBulk(keys).size());
    CASValue<Object> found = client.gets(KEY);
    seen.put("cas", client.cas(KEY, found.getCas(), found.getValue() + "e") == CASResponse.OK);
    seen.put("cas_again", client.cas(KEY, found.getCas(), "never") == CASResponse.OK);
    seen.put("append", done(client.append(KEY, "!")));
    seen.put("get2", client.get(KEY));
    seen.put("touch", done(client.touch(KEY, 100)));
    seen.put("delete", done(client.delete(KEY)));
    seen.put("deleted", client.get(KEY));
    seen.put("keep", done(client.set(KEY + ":keep", 60, "kept")));
    try {
      if (!done(client.flush())) seen.put("flushError", "not flushed");
    } catch (Exception error) {
      seen.put("flushError", String.valueOf(error.getMessage()));
    }
    boolean refused = seen.containsKey("flushError");
    seen.put("kept", refused ? getAgain(client, KEY + ":keep") : client.get(KEY + ":keep"));
    return seen;
  }

  static String json(Map<String, Object> seen) {
    StringBuilder out = new StringBuilder("{");
    for (Map.Entry<String, Object> entry : seen.entrySet()) {
      if (out.length() > 1) out.append(", ");
      Object value = entry.getValue();
      String text = String.valueOf(value).replaceAll("[\"\\\\\\p{Cntrl}]", "?");
      out.append('"').append(entry.getKey()).append("\": ");
      out.append(value instanceof String ? '"' + text + '"' : text);
    }
    return out.append("}").toString();
  }

  public static void main(String[] arguments) throws Exception {
    System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
    Logger.getLogger("net.spy.memcached").setLevel(Level.WARNING);
    AuthDescriptor login = new AuthDescriptor(
        new String[] {"PLAIN"}, new PlainCallbackHandler(arguments[1], arguments[2]));
    MemcachedClient client = new MemcachedClient(
        new ConnectionFactoryBuilder()
            .setProtocol(ConnectionFactoryBuilder.Protocol.BINARY)
            .setAuthDescriptor(login)
            .setOpTimeout(5000)
            .build(),
        AddrUtil.getAddresses(arguments[0].replace(',', ' ')));
    try {
      System.out.println(json(use(client)));
      System.exit(0);
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);  // its own threads would go on trying
    }
  }
}
