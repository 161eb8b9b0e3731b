import type { Route } from "../service";
import { Dashboard } from "./Dashboard";
import { Generator } from "./Generator";
import { GroupCreate } from "./groups/GroupCreate";
import { GroupDetail } from "./groups/GroupDetail";
import { Groups } from "./groups/Groups";
import { inlineCreate, inlineEdit } from "./InlinePolicy";
import { Policies } from "./policies/Policies";
import { PolicyCreate } from "./policies/PolicyCreate";
import { PolicyDetail } from "./policies/PolicyDetail";
import { PolicyEdit } from "./policies/PolicyEdit";
import { RoleCreate } from "./roles/RoleCreate";
import { RoleDetail, TrustEdit } from "./roles/RoleDetail";
import { Roles } from "./roles/Roles";
import { Settings } from "./Settings";
import { Simulator } from "./Simulator";
import { KeyCreate } from "./users/KeyCreate";
import { UserCreate } from "./users/UserCreate";
import { UserDetail } from "./users/UserDetail";
import { Users } from "./users/Users";

const inline = (folder: string, kind: "user" | "group" | "role"): Route[] => [
  { path: `/${folder}/details/:name/create-inline`, page: inlineCreate(kind), title: "Create inline policy", above: [`/${folder}`, `/${folder}/details/:name`], form: true },
  { path: `/${folder}/details/:name/inline/:policy`, page: inlineEdit(kind), title: (p) => p.policy ?? "", above: [`/${folder}`, `/${folder}/details/:name`], form: true },
];

export const routes: Route[] = [
  { path: "/", page: Dashboard, title: "IAM Dashboard" },
  { path: "/users", page: Users, title: "Users" },
  { path: "/users/create", page: UserCreate, title: "Create user", above: ["/users"] },
  { path: "/users/details/:name", page: UserDetail, title: (p) => p.name ?? "", above: ["/users"] },
  { path: "/users/details/:name/create-access-key", page: KeyCreate, title: "Create access key", above: ["/users", "/users/details/:name"] },
  ...inline("users", "user"),
  { path: "/groups", page: Groups, title: "User groups" },
  { path: "/groups/create", page: GroupCreate, title: "Create user group", above: ["/groups"], form: true },
  { path: "/groups/details/:name", page: GroupDetail, title: (p) => p.name ?? "", above: ["/groups"] },
  ...inline("groups", "group"),
  { path: "/roles", page: Roles, title: "Roles" },
  { path: "/roles/create", page: RoleCreate, title: "Create role", above: ["/roles"] },
  { path: "/roles/details/:name", page: RoleDetail, title: (p) => p.name ?? "", above: ["/roles"] },
  { path: "/roles/details/:name/trust", page: TrustEdit, title: "Edit trust policy", above: ["/roles", "/roles/details/:name"], form: true },
  ...inline("roles", "role"),
  { path: "/policies", page: Policies, title: "Policies" },
  { path: "/policies/create", page: PolicyCreate, title: "Create policy", above: ["/policies"] },
  { path: "/policies/details/:arn", page: PolicyDetail, title: (p) => p.arn?.split("/").at(-1) ?? "", above: ["/policies"] },
  { path: "/policies/details/:arn/edit", page: PolicyEdit, title: "Edit policy", above: ["/policies", "/policies/details/:arn"], form: true },
  { path: "/settings", page: Settings, title: "Account settings" },
  { path: "/generator", page: Generator, title: "Policy generator" },
  { path: "/simulator", page: Simulator, title: "Policy simulator" },
];
