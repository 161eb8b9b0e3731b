import type { Service } from "../service";

export const iam: Service = {
  id: "iam",
  name: "IAM",
  title: "Identity and Access Management (IAM)",
  category: "Security, Identity, & Compliance",
  description: "Manage access to resources",
  keywords: ["identity", "access", "permissions", "accounts"],
  nav: [
    { text: "Dashboard", path: "/", keywords: ["summary", "alias", "sign-in url"] },
    {
      section: "Access management",
      items: [
        { text: "User groups", path: "/groups", keywords: ["groups"] },
        { text: "Users", path: "/users", keywords: ["people", "access keys", "passwords"] },
        { text: "Roles", path: "/roles", keywords: ["trust"] },
        { text: "Policies", path: "/policies", keywords: ["permissions"] },
        { text: "Account settings", path: "/settings", keywords: ["password policy", "alias"] },
      ],
    },
    {
      section: "Tools",
      items: [
        { text: "Policy generator", path: "/generator" },
        { text: "Policy simulator", path: "/simulator", keywords: ["test", "evaluate"] },
      ],
    },
  ],
  pages: [
    { text: "Create user", path: "/users/create", keywords: ["add user"] },
    { text: "Create policy", path: "/policies/create" },
    { text: "Create role", path: "/roles/create" },
    { text: "Create group", path: "/groups/create" },
  ],
  load: () => import("./routes"),
};
