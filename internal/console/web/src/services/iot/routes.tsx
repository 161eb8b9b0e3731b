import { lazy } from "react";
import type { Route } from "../service";
import { RoleAliasDetail } from "./aliases/RoleAliasDetail";
import { RoleAliases } from "./aliases/RoleAliases";
import { RoleAliasCreate, RoleAliasEdit } from "./aliases/RoleAliasForm";
import { Authorities } from "./authorities/Authorities";
import { AuthorityDetail } from "./authorities/AuthorityDetail";
import { AuthorityRegister } from "./authorities/AuthorityRegister";
import { BillingGroupCreate } from "./billing/BillingGroupCreate";
import { BillingGroupDetail } from "./billing/BillingGroupDetail";
import { BillingGroups } from "./billing/BillingGroups";
import { CertificateCreate } from "./certificates/CertificateCreate";
import { CertificateDetail } from "./certificates/CertificateDetail";
import { Certificates } from "./certificates/Certificates";
import { Register } from "./certificates/Register";
import { Connect } from "./connect/Connect";
import { GroupCreate, GroupEdit } from "./groups/GroupCreate";
import { GroupDetail } from "./groups/GroupDetail";
import { Groups } from "./groups/Groups";
import { Monitor } from "./Monitor";
import { Policies } from "./policies/Policies";
import { PolicyCreate } from "./policies/PolicyCreate";
import { PolicyDetail } from "./policies/PolicyDetail";
import { PolicyEdit } from "./policies/PolicyEdit";
import { RetainedMessage } from "./retained/RetainedMessage";
import { RetainedMessages } from "./retained/RetainedMessages";
import { Settings } from "./settings/Settings";
import { ShadowDetail } from "./shadows/ShadowDetail";
import { ThingCreate } from "./things/ThingCreate";
import { ThingDetail } from "./things/ThingDetail";
import { ThingEdit } from "./things/ThingEdit";
import { Things } from "./things/Things";
import { ThingsCreate } from "./things/ThingsCreate";
import { ThingsMany } from "./things/ThingsMany";
import { TypeCreate } from "./types/TypeCreate";
import { TypeDetail } from "./types/TypeDetail";
import { Types } from "./types/Types";

const MqttTestClient = lazy(() => import("./test/MqttTestClient").then((m) => ({ default: m.MqttTestClient })));

const short = (id: string | undefined) => (id && id.length > 16 ? id.slice(0, 10) + "…" : (id ?? ""));

export const routes: Route[] = [
  { path: "/", page: Monitor, title: "IoT Core" },
  { path: "/connect", page: Connect, title: "Connect one device", form: true },

  { path: "/things", page: Things, title: "Things" },
  { path: "/things/create", page: ThingsCreate, title: "Create things", above: ["/things"], form: true },
  { path: "/things/create-single", page: ThingCreate, title: "Create single thing", above: ["/things", "/things/create"], form: true },
  { path: "/things/create-many", page: ThingsMany, title: "Create many things", above: ["/things", "/things/create"], form: true },
  { path: "/things/details/:name", page: ThingDetail, title: (p) => p.name ?? "", above: ["/things"] },
  { path: "/things/details/:name/edit", page: ThingEdit, title: "Edit thing", above: ["/things", "/things/details/:name"], form: true },
  { path: "/things/details/:name/shadow", page: ShadowDetail, title: "Device Shadow", above: ["/things", "/things/details/:name"] },

  { path: "/thing-types", page: Types, title: "Thing types" },
  { path: "/thing-types/create", page: TypeCreate, title: "Create thing type", above: ["/thing-types"], form: true },
  { path: "/thing-types/details/:name", page: TypeDetail, title: (p) => p.name ?? "", above: ["/thing-types"] },

  { path: "/thing-groups", page: Groups, title: "Thing groups" },
  { path: "/thing-groups/create", page: GroupCreate, title: "Create thing group", above: ["/thing-groups"], form: true },
  { path: "/thing-groups/details/:name", page: GroupDetail, title: (p) => p.name ?? "", above: ["/thing-groups"] },
  { path: "/thing-groups/details/:name/edit", page: GroupEdit, title: "Edit thing group", above: ["/thing-groups", "/thing-groups/details/:name"], form: true },

  { path: "/billing-groups", page: BillingGroups, title: "Billing groups" },
  { path: "/billing-groups/create", page: BillingGroupCreate, title: "Create billing group", above: ["/billing-groups"], form: true },
  { path: "/billing-groups/details/:name", page: BillingGroupDetail, title: (p) => p.name ?? "", above: ["/billing-groups"] },

  { path: "/retained-messages", page: RetainedMessages, title: "Retained messages" },
  { path: "/retained-messages/details", page: RetainedMessage, title: "Retained message", above: ["/retained-messages"] },

  { path: "/certificates", page: Certificates, title: "Certificates" },
  { path: "/certificates/create", page: CertificateCreate, title: "Create a certificate", above: ["/certificates"], form: true },
  { path: "/certificates/register", page: Register, title: "Register certificates", above: ["/certificates"], form: true },
  { path: "/certificates/details/:id", page: CertificateDetail, title: (p) => short(p.id), above: ["/certificates"] },

  { path: "/policies", page: Policies, title: "Policies" },
  { path: "/policies/create", page: PolicyCreate, title: "Create a policy", above: ["/policies"], form: true },
  { path: "/policies/details/:name", page: PolicyDetail, title: (p) => p.name ?? "", above: ["/policies"] },
  { path: "/policies/details/:name/edit", page: PolicyEdit, title: "Edit policy", above: ["/policies", "/policies/details/:name"], form: true },

  { path: "/certificate-authorities", page: Authorities, title: "Certificate authorities" },
  { path: "/certificate-authorities/register", page: AuthorityRegister, title: "Register CA certificate", above: ["/certificate-authorities"], form: true },
  { path: "/certificate-authorities/details/:id", page: AuthorityDetail, title: (p) => short(p.id), above: ["/certificate-authorities"] },

  { path: "/role-aliases", page: RoleAliases, title: "Role aliases" },
  { path: "/role-aliases/create", page: RoleAliasCreate, title: "Create role alias", above: ["/role-aliases"], form: true },
  { path: "/role-aliases/details/:name", page: RoleAliasDetail, title: (p) => p.name ?? "", above: ["/role-aliases"] },
  { path: "/role-aliases/details/:name/edit", page: RoleAliasEdit, title: "Edit role alias", above: ["/role-aliases", "/role-aliases/details/:name"], form: true },

  { path: "/test", page: MqttTestClient, title: "MQTT test client" },

  { path: "/settings", page: Settings, title: "Settings" },
];
