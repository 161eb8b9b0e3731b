import Autosuggest from "@cloudscape-design/components/autosuggest";
import ButtonDropdown, { type ButtonDropdownProps } from "@cloudscape-design/components/button-dropdown";
import TopNavigation from "@cloudscape-design/components/top-navigation";
import { useEffect, useMemo, useRef, useState } from "react";
import { nameOf } from "../session/identity";
import { chooseRegion, region, regions } from "../session/region";
import type { Identity } from "../session/signin";
import { services } from "../services";
import { chooseLook, currentLook, type Look } from "./look";
import { useNotify } from "./notices";
import { go } from "./route";
import { find } from "./search";

interface Props {
  who: Identity;
  onSignOut: () => Promise<void>;
  onRegion: () => void;
}

/** TopBar is the bar on top: services, search, region, account. */
export function TopBar({ who, onSignOut, onRegion }: Props) {
  const notify = useNotify();
  const account = who.account.replace(/^(\d{4})(\d{4})(\d{4})$/, "$1-$2-$3");
  const look = currentLook();
  const [, redraw] = useState(0);

  const chosen = async (id: string) => {
    if (id === "signout") {
      try {
        await onSignOut();
      } catch (e) {
        notify({ type: "error", header: "You are still signed in", content: e instanceof Error ? e.message : String(e) });
      }
    } else if (id.startsWith("look:")) {
      chooseLook(id.slice(5) as Look);
      redraw((n) => n + 1);
    } else if (id === "copy") {
      try {
        await navigator.clipboard.writeText(who.account);
        notify({ type: "success", content: "Copied the account ID.", id: "copied" });
      } catch {
        notify({ type: "warning", content: `The browser does not let this page copy. The account ID is ${who.account}.`, id: "copied" });
      }
    }
  };

  return (
    <div id="top" className="top-nav">
      <TopNavigation
        identity={{ href: "#/", title: "thingd", onFollow: () => {} }}
        search={
          <div className="top-search">
            <ServicesMenu />
            <Search />
          </div>
        }
        utilities={[
          {
            type: "menu-dropdown",
            text: region(),
            ariaLabel: `Region ${region()}`,
            title: "Region",
            description: regions[region()],
            items: Object.entries(regions).map(([id, name]) => ({ id, text: name, secondaryText: id, itemType: "checkbox", checked: id === region() }) as const),
            onItemClick: ({ detail }) => {
              chooseRegion(detail.id);
              onRegion();
            },
          },
          {
            type: "menu-dropdown",
            text: nameOf(who),
            ariaLabel: `Account ${nameOf(who)}`,
            iconName: "user-profile",
            description: `Account ID: ${account}`,
            items: [
              { id: "copy", text: "Copy account ID", iconName: "copy" },
              { id: "account", text: who.type === "Root" ? "Account" : "Security credentials", href: "#/account" },
              {
                id: "look",
                text: "Visual mode",
                items: (["light", "dark", "system"] as const).map((l) => ({
                  id: "look:" + l,
                  text: l === "light" ? "Light" : l === "dark" ? "Dark" : "Browser default",
                  itemType: "checkbox" as const,
                  checked: look === l,
                })),
              },
              { id: "signout", text: "Sign out" },
            ],
            onItemClick: ({ detail }) => void chosen(detail.id),
          },
        ]}
      />
    </div>
  );
}

/** All services, by category. */
function ServicesMenu() {
  const items = useMemo(() => {
    const categories = new Map<string, ButtonDropdownProps.Item[]>();
    for (const s of services) {
      const of = categories.get(s.category) ?? [];
      of.push({ id: s.id, text: s.name, href: `#/${s.id}`, secondaryText: s.description });
      categories.set(s.category, of);
    }
    return [...categories].map(([text, items]) => ({ text, items }));
  }, []);
  return (
    <ButtonDropdown items={items} expandableGroups={false} variant="normal">
      Services
    </ButtonDropdown>
  );
}

/** The search for services and screens. Alt+S goes there, as in AWS's console. */
function Search() {
  const [text, setText] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const found = useMemo(() => find(services, text), [text]);
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.altKey && e.key.toLowerCase() === "s") {
        e.preventDefault();
        box.current?.querySelector("input")?.focus();
      }
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, []);
  const follow = (link: string) => {
    setText("");
    go(link);
  };
  return (
    <div ref={box}>
      <Autosuggest
        value={text}
        onChange={({ detail }) => setText(detail.value)}
        onSelect={({ detail }) => {
          const hit = found.find((f) => f.link === detail.selectedOption?.value) ?? (detail.value ? found[0] : undefined);
          if (hit) follow(hit.link);
        }}
        filteringType="manual"
        options={[
          { label: "Services", options: found.filter((f) => f.service).map((f) => ({ value: f.link, label: f.label, description: f.description })) },
          { label: "Pages", options: found.filter((f) => !f.service).map((f) => ({ value: f.link, label: f.label, description: f.description })) },
        ].filter((g) => g.options.length > 0)}
        enteredTextLabel={(value) => `Search for "${value}"`}
        placeholder="Search [Alt+S]"
        ariaLabel="Search for services and pages"
        empty="No matches"
      />
    </div>
  );
}
