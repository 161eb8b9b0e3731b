import type { Route } from "../service";
import { Users } from "./users/Users";

export const routes: Route[] = [
  { path: "/users", page: Users, title: "Users" },
];
