import type { ComponentType } from "react";

/** A service of the console: what the frame knows of it before its screens are loaded. */
export interface Service {
  id: string; // first part of its screens' paths, #/iam/…
  name: string; // IAM
  title: string; // what its menu is headed with
  category: string; // of the Services menu
  description: string;
  keywords?: string[]; // by which the search finds it too
  nav: NavItem[];
  /** Screens that the search finds and the menu does not show. */
  pages?: NavLink[];
  load: () => Promise<{ routes: Route[] }>;
}

export type NavItem = NavLink | NavSection;

export interface NavLink {
  text: string;
  path: string; // within the service: /users
  keywords?: string[];
}

export interface NavSection {
  section: string;
  closed?: boolean; // at first
  items: NavLink[];
}

export type Params = Record<string, string>;

/** A screen. The first route that matches is taken. */
export interface Route {
  path: string; // within the service: /users/:name
  page: ComponentType<{ params: Params }>;
  /** What it is called in the breadcrumbs and the window's title. */
  title: string | ((params: Params) => string);
  /** The screens above it, nearest last, below the service's own: their paths are routes. */
  above?: string[];
  /** Narrower content, for forms and wizards. */
  form?: boolean;
}

/** All links of a service's menu. */
export const links = (service: Service): NavLink[] => [...service.nav.flatMap((n) => ("section" in n ? n.items : [n])), ...(service.pages ?? [])];
