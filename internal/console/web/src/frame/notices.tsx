import type { FlashbarProps } from "@cloudscape-design/components/flashbar";
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";

/** A message at the top of the screen, which stays until it is dismissed or the service is left. */
export interface Notice {
  type: "success" | "error" | "info" | "warning" | "in-progress";
  header?: ReactNode;
  content?: ReactNode;
  action?: ReactNode;
  /** A notice with the id of an earlier one takes its place. */
  id?: string;
}

interface Notices {
  notify: (n: Notice) => void;
  clear: () => void;
}

const Context = createContext<Notices>({ notify: () => {}, clear: () => {} });

export const useNotify = () => useContext(Context).notify;

let count = 0;

/** The notices that are shown, and what tells of new ones. */
export function useNotices(): { items: FlashbarProps.MessageDefinition[]; value: Notices } {
  const [items, set] = useState<FlashbarProps.MessageDefinition[]>([]);
  const notify = useCallback((n: Notice) => {
    const id = n.id ?? `notice-${++count}`;
    const item: FlashbarProps.MessageDefinition = {
      type: n.type === "in-progress" ? "info" : n.type,
      loading: n.type === "in-progress",
      header: n.header,
      content: n.content,
      action: n.action,
      id,
      dismissible: n.type !== "in-progress",
      dismissLabel: "Dismiss message",
      onDismiss: () => set((was) => was.filter((i) => i.id !== id)),
    };
    set((was) => [item, ...was.filter((i) => i.id !== id)].slice(0, 5));
  }, []);
  const clear = useCallback(() => set([]), []);
  const value = useMemo(() => ({ notify, clear }), [notify, clear]);
  return { items, value };
}

export const NoticesProvider = Context.Provider;
