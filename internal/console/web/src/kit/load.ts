import { useCallback, useEffect, useRef, useState } from "react";
import { noticed } from "../session/aws";

/** What a screen shows, as far as it has come. */
export interface Loaded<T> {
  data?: T;
  error?: unknown;
  loading: boolean;
  reload: () => Promise<void>;
}

/**
 * useLoad asks for what a screen shows, at once, whenever one of deps changes,
 * and every so many milliseconds while the screen can be seen. What was shown
 * stays until there is something newer; of two answers the later question's
 * counts. An error while refreshing by itself is not shown: the next may go well.
 */
export function useLoad<T>(ask: () => Promise<T>, deps: unknown[], every?: number): Loaded<T> {
  const [state, set] = useState<{ data?: T; error?: unknown; loading: boolean }>({ loading: true });
  const question = useRef(0);
  const asked = useRef(ask);
  asked.current = ask;

  const run = useCallback(async (quiet: boolean) => {
    const mine = ++question.current;
    if (!quiet) set((was) => ({ ...was, loading: true }));
    try {
      const data = await asked.current();
      if (mine === question.current) set({ data, loading: false });
    } catch (error) {
      noticed(error);
      if (mine === question.current) set((was) => (quiet && was.data !== undefined ? { ...was, loading: false } : { data: was.data, error, loading: false }));
    }
  }, []);
  const reload = useCallback(() => run(false), [run]);

  useEffect(() => {
    void run(false);
    const number = question;
    return () => {
      number.current++;
    };
    // The caller says what the question depends on.
  }, [run, ...deps]);

  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void run(true);
    }, every);
    return () => clearInterval(timer);
  }, [run, every]);

  return { ...state, reload };
}

/**
 * useAction runs what a button does: busy while it runs, its error kept until
 * the next try. It says whether it went well.
 */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = useCallback(async (action: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setError(undefined);
    try {
      await action();
      return true;
    } catch (e) {
      noticed(e);
      setError(e);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, run, setError };
}
