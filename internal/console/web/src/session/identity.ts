import { createContext, useContext } from "react";
import type { Identity } from "./signin";

interface Session {
  who: Identity;
  changed: (who: Identity) => void; // another session has taken this one's place
  signOut: () => Promise<void>;
}

const Context = createContext<Session | undefined>(undefined);
export const SessionProvider = Context.Provider;

/** useSession is who is signed in. */
export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("nobody is signed in");
  return session;
}

/** The URL by which the users of an account sign in. */
export const signInURL = (account: string) => `${location.origin}/console?account=${account}`;

/** What people call who is signed in: MyIoTUser @ 1234-5678-9012. */
export function nameOf(who: Identity): string {
  const account = who.alias ?? who.account.replace(/^(\d{4})(\d{4})(\d{4})$/, "$1-$2-$3");
  if (who.type === "Root") return account;
  const name = who.userName ?? who.arn.split("/").slice(1).join("/");
  return `${name} @ ${account}`;
}
