import { useEffect, useRef, useState } from "react";
import { region } from "../session/region";
import { newClientId } from "./clientid";
import { Connection, type Message, type State } from "./connection";

/** What came of listening. */
export interface Listening {
  state: State;
  /** Filters that may not be subscribed to, with the reason. */
  refused: { filter: string; error: Error }[];
  retry: () => void;
}

/**
 * useMessages listens to topics while the component is shown, as who is signed
 * in, on a connection of its own that comes back by itself.
 */
export function useMessages(filters: string[], onMessage: (m: Message) => void): Listening {
  const [state, setState] = useState<State>({ of: "closed" });
  const [refused, setRefused] = useState<Listening["refused"]>([]);
  const [attempt, setAttempt] = useState(0);
  const listener = useRef(onMessage);
  listener.current = onMessage;
  const connection = useRef<Connection>(undefined);
  const wanted = useRef(new Set<string>());

  const at = region();
  useEffect(() => {
    const c: Connection = new Connection({
      region: at,
      clientId: newClientId(),
      onMessage: (m) => listener.current(m),
      onChange: () => setState(c.state),
      onRefused: (filter, error) => setRefused((was) => [...was.filter((r) => r.filter !== filter), { filter, error }]),
    });
    connection.current = c;
    for (const f of wanted.current) c.want(f, 0);
    c.connect();
    return () => {
      connection.current = undefined;
      c.close();
    };
  }, [at, attempt]);

  const key = filters.join("\n");
  useEffect(() => {
    const now = new Set(key ? key.split("\n") : []);
    for (const f of wanted.current) if (!now.has(f)) connection.current?.unsubscribe(f).catch(() => {}); // the connection is gone, and the subscription with it
    for (const f of now) if (!wanted.current.has(f)) connection.current?.want(f, 0);
    wanted.current = now;
    setRefused((was) => was.filter((r) => now.has(r.filter)));
  }, [key]);

  return {
    state,
    refused,
    retry: () => {
      setRefused([]);
      setAttempt((n) => n + 1);
    },
  };
}
