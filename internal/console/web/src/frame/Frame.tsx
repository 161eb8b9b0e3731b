import AppLayout from "@cloudscape-design/components/app-layout";
import Box from "@cloudscape-design/components/box";
import BreadcrumbGroup from "@cloudscape-design/components/breadcrumb-group";
import Flashbar from "@cloudscape-design/components/flashbar";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SideNavigation, { type SideNavigationProps } from "@cloudscape-design/components/side-navigation";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import { lazy, Suspense, useEffect, useMemo, useRef, useState, type ComponentType } from "react";
import { SessionProvider } from "../session/identity";
import { region } from "../session/region";
import type { Identity } from "../session/signin";
import { services } from "../services";
import type { Route, Service } from "../services/service";
import { ErrorBoundary } from "./ErrorBoundary";
import { Home } from "./Home";
import { NoticesProvider, useNotices } from "./notices";
import { match, to, usePlace } from "./route";
import { TopBar } from "./TopBar";

const Account = lazy(() => import("./Account"));

interface Props {
  who: Identity;
  onChanged: (who: Identity) => void;
  onSignOut: () => Promise<void>;
}

/** Frame is what every screen is in: the bar on top, menu, breadcrumbs, notifications. */
export default function Frame({ who, onChanged, onSignOut }: Props) {
  const { path } = usePlace();
  const { items, value } = useNotices();
  const [, redraw] = useState(0);
  const session = useMemo(() => ({ who, changed: onChanged, signOut: onSignOut }), [who, onChanged, onSignOut]);

  const first = path.split("/")[1] ?? "";
  const service = services.find((s) => s.id === first);
  const inner = path.slice(1 + first.length) || "/";

  // What was said of one service is no news in another.
  const before = useRef(first);
  useEffect(() => {
    if (before.current !== first) value.clear();
    before.current = first;
  }, [first, value]);

  const screen = useScreen(service, inner);
  const account = first === "account";
  const title = screen.title ?? (account ? "Account" : first && !service ? "Page not found" : "Console Home");
  useEffect(() => {
    document.title = [title, service && service.name !== title ? service.name : undefined, "thingd"].filter(Boolean).join(" | ");
  }, [title, service]);

  // A new screen is read from its top, by people and by screen readers.
  const content = useRef<HTMLDivElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    window.scrollTo(0, 0);
    content.current?.focus({ preventScroll: true });
  }, [path]);

  const [open, setOpen] = useState(() => window.innerWidth > 912);

  return (
    <SessionProvider value={session}>
      <NoticesProvider value={value}>
        <TopBar who={who} onSignOut={onSignOut} onRegion={() => redraw((n) => n + 1)} />
        <AppLayout
          headerSelector="#top"
          toolsHide
          navigationHide={!service}
          navigationOpen={open}
          onNavigationChange={({ detail }) => setOpen(detail.open)}
          navigation={service && <Menu service={service} path={inner} onFollow={() => window.innerWidth <= 912 && setOpen(false)} />}
          breadcrumbs={screen.crumbs && <BreadcrumbGroup items={screen.crumbs} ariaLabel="Breadcrumbs" />}
          notifications={<Flashbar items={items} stackItems={items.length > 2} />}
          stickyNotifications
          contentType={screen.form ? "form" : "default"}
          content={
            <div ref={content} tabIndex={-1} style={{ outline: "none" }}>
              <ErrorBoundary key={region() + path}>
                <Suspense fallback={<Loading />}>{service ? screen.content : account ? <Account /> : first ? <Missing /> : <Home />}</Suspense>
              </ErrorBoundary>
            </div>
          }
        />
      </NoticesProvider>
    </SessionProvider>
  );
}

interface Screen {
  content: React.ReactNode;
  title?: string;
  crumbs?: { text: string; href: string }[];
  form?: boolean;
}

/** The screens of services, as far as they have been loaded. */
const loaded = new Map<string, Route[]>();

/** useScreen loads a service's screens and finds the one that a path means. */
function useScreen(service: Service | undefined, path: string): Screen {
  const [, arrived] = useState(0);
  const [failed, fail] = useState<unknown>();
  const routes = service && loaded.get(service.id);
  useEffect(() => {
    if (!service || routes) return;
    let gone = false;
    service.load().then(
      (m) => {
        loaded.set(service.id, m.routes);
        if (!gone) arrived((n) => n + 1);
      },
      (e: unknown) => {
        if (!gone) fail(e);
      },
    );
    return () => {
      gone = true;
    };
  }, [service, routes]);
  if (failed) throw new Error("The screens of this service could not be loaded. Reload the page: the server may have been updated.", { cause: failed });
  if (!service) return { content: null };
  if (!routes) return { content: <Loading />, crumbs: [{ text: service.name, href: `#/${service.id}` }] };
  for (const route of routes) {
    const params = match(route.path, path);
    if (!params) continue;
    const Page = route.page as ComponentType<{ params: Record<string, string> }>;
    const title = titleOf(route, params);
    const crumbs = [{ text: service.name, href: `#/${service.id}` }];
    for (const above of route.above ?? []) {
      const r = routes.find((r) => r.path === above);
      if (r) crumbs.push({ text: titleOf(r, params), href: linkOf(service, r, params) });
    }
    if (route.path !== "/") crumbs.push({ text: title, href: linkOf(service, route, params) });
    return { content: <Page key={path} params={params} />, title, crumbs, form: route.form };
  }
  return { content: <Missing />, title: "Page not found", crumbs: [{ text: service.name, href: `#/${service.id}` }] };
}

const titleOf = (route: Route, params: Record<string, string>) => (typeof route.title === "string" ? route.title : route.title(params));

const linkOf = (service: Service, route: Route, params: Record<string, string>) =>
  to([service.id, ...route.path.split("/").filter(Boolean).map((p) => (p.startsWith(":") ? (params[p.slice(1)] ?? "") : p))]);

function Menu({ service, path, onFollow }: { service: Service; path: string; onFollow: () => void }) {
  const link = (l: { text: string; path: string }) => ({ type: "link" as const, text: l.text, href: `#/${service.id}${l.path}` });
  const items: SideNavigationProps.Item[] = service.nav.map((n) =>
    "section" in n ? { type: "section" as const, text: n.section, defaultExpanded: !n.closed, items: n.items.map(link) } : link(n),
  );
  // The screen itself, or the list that it is of.
  const active = service.nav
    .flatMap((n) => ("section" in n ? n.items : [n]))
    .filter((l) => path === l.path || (l.path !== "/" && path.startsWith(l.path + "/")))
    .sort((a, b) => b.path.length - a.path.length)[0];
  return (
    <SideNavigation
      header={{ text: service.title, href: `#/${service.id}` }}
      activeHref={active && `#/${service.id}${active.path}`}
      items={items}
      onFollow={onFollow}
    />
  );
}

const Loading = () => (
  <div role="status" aria-label="Loading">
    <Spinner size="large" />
  </div>
);

function Missing() {
  return (
    <SpaceBetween size="s">
      <Header variant="h1">Page not found</Header>
      <Box>
        The console has no screen under this address. <Link href="#/">Console Home</Link>
      </Box>
    </SpaceBetween>
  );
}
