import I18nProvider from "@cloudscape-design/components/i18n";
import messages from "@cloudscape-design/components/i18n/messages/all.en";
import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Spinner from "@cloudscape-design/components/spinner";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { forget } from "./session/credentials";
import { whenEnded } from "./session/aws";
import { startRegion } from "./session/region";
import * as signin from "./session/signin";

const Frame = lazy(() => import("./frame/Frame"));
const SignIn = lazy(() => import("./signin/SignIn"));

type State = { of: "asking" } | { of: "failed"; error: unknown } | { of: "nobody"; ended?: boolean } | { of: "somebody"; who: signin.Identity };

/** What other tabs of the console are told: that who is signed in has changed. */
const tabs = new BroadcastChannel("thingd.session");

/** App is the console, or the sign-in page. */
export function App() {
  const [state, set] = useState<State>({ of: "asking" });

  const ask = useCallback(async () => {
    try {
      const who = await signin.session();
      set((was) => {
        if (!who.signedIn) return { of: "nobody", ended: was.of === "somebody" || (was.of === "nobody" && was.ended) };
        if (was.of === "somebody" && was.who.arn !== who.arn) forget();
        startRegion(who.region);
        return { of: "somebody", who };
      });
    } catch (error) {
      set((was) => (was.of === "somebody" ? was : { of: "failed", error }));
    }
  }, []);

  useEffect(() => {
    whenEnded(() => void ask());
    const other = () => (forget(), void ask());
    tabs.addEventListener("message", other);
    void ask();
    return () => tabs.removeEventListener("message", other);
  }, [ask]);

  // A session ends by itself, whether or not anything is asked of the server.
  const expiration = state.of === "somebody" ? state.who.expiration : undefined;
  useEffect(() => {
    if (!expiration) return;
    const timer = setTimeout(() => void ask(), Math.min(Math.max(Date.parse(expiration) - Date.now() + 1000, 1000), 2 ** 31 - 1));
    return () => clearTimeout(timer);
  }, [expiration, ask]);

  const signedIn = (who: signin.Identity) => {
    forget();
    startRegion(who.region);
    set({ of: "somebody", who });
    tabs.postMessage("changed");
  };
  const signOut = async () => {
    await signin.signOut();
    forget();
    set({ of: "nobody" });
    tabs.postMessage("changed");
  };

  const account = new URLSearchParams(location.search).get("account");
  const page = () => {
    switch (state.of) {
      case "asking":
        return <Waiting />;
      case "failed":
        return (
          <main className="signin">
            <Alert type="error" header="The console could not start" action={<Button onClick={() => void ask()}>Try again</Button>}>
              {String(state.error instanceof Error ? state.error.message : state.error)}
            </Alert>
          </main>
        );
      case "nobody":
        return <SignIn account={account ?? undefined} ended={state.ended} onSignedIn={signedIn} />;
      case "somebody":
        // The sign-in URL of an account asks who wants in, whoever is in.
        if (account !== null) return <SignIn account={account} now={state.who} onSignedIn={signedIn} />;
        return <Frame key={state.who.arn} who={state.who} onChanged={signedIn} onSignOut={signOut} />;
    }
  };
  return (
    <I18nProvider locale="en" messages={[messages]}>
      <Suspense fallback={<Waiting />}>{page()}</Suspense>
    </I18nProvider>
  );
}

function Waiting() {
  return (
    <main className="signin" aria-busy="true" aria-label="Loading">
      <Spinner size="large" />
    </main>
  );
}
