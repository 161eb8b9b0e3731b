import * as iam from "@aws-sdk/client-iam";
import { all, aws } from "../../session/aws";

/** IAM's calls, as the screens ask them: lists whole, documents as text. */
const client = () => aws(iam.IAMClient);

export const listUsers = () => all((Marker) => client().send(new iam.ListUsersCommand({ Marker })), (p) => p.Users, (p) => p.Marker);
export const listGroups = () => all((Marker) => client().send(new iam.ListGroupsCommand({ Marker })), (p) => p.Groups, (p) => p.Marker);
export const listRoles = () => all((Marker) => client().send(new iam.ListRolesCommand({ Marker })), (p) => p.Roles, (p) => p.Marker);
export const listPolicies = () => all((Marker) => client().send(new iam.ListPoliciesCommand({ Marker })), (p) => p.Policies, (p) => p.Marker);
export const listKeys = (UserName: string) =>
  all((Marker) => client().send(new iam.ListAccessKeysCommand({ UserName, Marker })), (p) => p.AccessKeyMetadata, (p) => p.Marker);
export const groupsOf = (UserName: string) =>
  all((Marker) => client().send(new iam.ListGroupsForUserCommand({ UserName, Marker })), (p) => p.Groups, (p) => p.Marker);
export const usersIn = (GroupName: string) => all((Marker) => client().send(new iam.GetGroupCommand({ GroupName, Marker })), (p) => p.Users, (p) => p.Marker);
export const listVersions = (PolicyArn: string) =>
  all((Marker) => client().send(new iam.ListPolicyVersionsCommand({ PolicyArn, Marker })), (p) => p.Versions, (p) => p.Marker);

/** send calls IAM: send(new iam.GetUserCommand({ … })). */
export const send: iam.IAMClient["send"] = ((command: never) => client().send(command)) as iam.IAMClient["send"];

/** A document as IAM sends it, percent-encoded. */
export const decoded = (document: string | undefined): string => (document === undefined ? "" : decodeURIComponent(document));

/** mayChangePassword lets a user change the password that he is given, as he must at his first sign-in. */
export const mayChangePassword = (UserName: string) => send(new iam.AttachUserPolicyCommand({ UserName, PolicyArn: "arn:aws:iam::aws:policy/IAMUserChangePassword" }));

/** The three that policies are given to, by the same six calls each. */
export interface Holder {
  kind: "user" | "group" | "role";
  attached: (name: string) => Promise<iam.AttachedPolicy[]>;
  inline: (name: string) => Promise<string[]>;
  document: (name: string, policy: string) => Promise<string>;
  attach: (name: string, arn: string) => Promise<unknown>;
  detach: (name: string, arn: string) => Promise<unknown>;
  put: (name: string, policy: string, document: string) => Promise<unknown>;
  remove: (name: string, policy: string) => Promise<unknown>;
}

export const holders: Record<Holder["kind"], Holder> = {
  user: {
    kind: "user",
    attached: (UserName) => all((Marker) => send(new iam.ListAttachedUserPoliciesCommand({ UserName, Marker })), (p) => p.AttachedPolicies, (p) => p.Marker),
    inline: (UserName) => all((Marker) => send(new iam.ListUserPoliciesCommand({ UserName, Marker })), (p) => p.PolicyNames, (p) => p.Marker),
    document: async (UserName, PolicyName) => decoded((await send(new iam.GetUserPolicyCommand({ UserName, PolicyName }))).PolicyDocument),
    attach: (UserName, PolicyArn) => send(new iam.AttachUserPolicyCommand({ UserName, PolicyArn })),
    detach: (UserName, PolicyArn) => send(new iam.DetachUserPolicyCommand({ UserName, PolicyArn })),
    put: (UserName, PolicyName, PolicyDocument) => send(new iam.PutUserPolicyCommand({ UserName, PolicyName, PolicyDocument })),
    remove: (UserName, PolicyName) => send(new iam.DeleteUserPolicyCommand({ UserName, PolicyName })),
  },
  group: {
    kind: "group",
    attached: (GroupName) => all((Marker) => send(new iam.ListAttachedGroupPoliciesCommand({ GroupName, Marker })), (p) => p.AttachedPolicies, (p) => p.Marker),
    inline: (GroupName) => all((Marker) => send(new iam.ListGroupPoliciesCommand({ GroupName, Marker })), (p) => p.PolicyNames, (p) => p.Marker),
    document: async (GroupName, PolicyName) => decoded((await send(new iam.GetGroupPolicyCommand({ GroupName, PolicyName }))).PolicyDocument),
    attach: (GroupName, PolicyArn) => send(new iam.AttachGroupPolicyCommand({ GroupName, PolicyArn })),
    detach: (GroupName, PolicyArn) => send(new iam.DetachGroupPolicyCommand({ GroupName, PolicyArn })),
    put: (GroupName, PolicyName, PolicyDocument) => send(new iam.PutGroupPolicyCommand({ GroupName, PolicyName, PolicyDocument })),
    remove: (GroupName, PolicyName) => send(new iam.DeleteGroupPolicyCommand({ GroupName, PolicyName })),
  },
  role: {
    kind: "role",
    attached: (RoleName) => all((Marker) => send(new iam.ListAttachedRolePoliciesCommand({ RoleName, Marker })), (p) => p.AttachedPolicies, (p) => p.Marker),
    inline: (RoleName) => all((Marker) => send(new iam.ListRolePoliciesCommand({ RoleName, Marker })), (p) => p.PolicyNames, (p) => p.Marker),
    document: async (RoleName, PolicyName) => decoded((await send(new iam.GetRolePolicyCommand({ RoleName, PolicyName }))).PolicyDocument),
    attach: (RoleName, PolicyArn) => send(new iam.AttachRolePolicyCommand({ RoleName, PolicyArn })),
    detach: (RoleName, PolicyArn) => send(new iam.DetachRolePolicyCommand({ RoleName, PolicyArn })),
    put: (RoleName, PolicyName, PolicyDocument) => send(new iam.PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument })),
    remove: (RoleName, PolicyName) => send(new iam.DeleteRolePolicyCommand({ RoleName, PolicyName })),
  },
};

/** release takes away all policies of a holder, as has to be done before it is deleted. */
export async function release(holder: Holder, name: string): Promise<void> {
  for (const p of await holder.attached(name)) if (p.PolicyArn) await holder.detach(name, p.PolicyArn);
  for (const p of await holder.inline(name)) await holder.remove(name, p);
}

/** dropMFA takes a device away from a user and deletes it, if the caller may: what stays otherwise is a name that is taken. */
export async function dropMFA(UserName: string, SerialNumber: string): Promise<void> {
  await send(new iam.DeactivateMFADeviceCommand({ UserName, SerialNumber }));
  await send(new iam.DeleteVirtualMFADeviceCommand({ SerialNumber })).catch(() => {});
}

export async function deleteUser(UserName: string): Promise<void> {
  await release(holders.user, UserName);
  for (const g of await groupsOf(UserName)) await send(new iam.RemoveUserFromGroupCommand({ UserName, GroupName: g.GroupName }));
  for (const k of await listKeys(UserName)) await send(new iam.DeleteAccessKeyCommand({ UserName, AccessKeyId: k.AccessKeyId }));
  for (const d of (await send(new iam.ListMFADevicesCommand({ UserName }))).MFADevices ?? []) await dropMFA(UserName, d.SerialNumber ?? "");
  await unless("NoSuchEntityException", () => send(new iam.DeleteLoginProfileCommand({ UserName })));
  await send(new iam.DeleteUserCommand({ UserName }));
}

export async function deleteGroup(GroupName: string): Promise<void> {
  await release(holders.group, GroupName);
  for (const u of await usersIn(GroupName)) await send(new iam.RemoveUserFromGroupCommand({ UserName: u.UserName, GroupName }));
  await send(new iam.DeleteGroupCommand({ GroupName }));
}

export async function deleteRole(RoleName: string): Promise<void> {
  await release(holders.role, RoleName);
  const profiles = await all((Marker) => send(new iam.ListInstanceProfilesForRoleCommand({ RoleName, Marker })), (p) => p.InstanceProfiles, (p) => p.Marker);
  for (const p of profiles) await send(new iam.RemoveRoleFromInstanceProfileCommand({ RoleName, InstanceProfileName: p.InstanceProfileName }));
  await send(new iam.DeleteRoleCommand({ RoleName }));
}

/** deletePolicy detaches a policy from all that have it and deletes its versions, then itself. */
export async function deletePolicy(PolicyArn: string): Promise<void> {
  const has = await entities(PolicyArn);
  for (const e of has) await holders[e.kind].detach(e.name, PolicyArn);
  for (const v of await listVersions(PolicyArn)) if (!v.IsDefaultVersion) await send(new iam.DeletePolicyVersionCommand({ PolicyArn, VersionId: v.VersionId }));
  await send(new iam.DeletePolicyCommand({ PolicyArn }));
}

export interface Entity {
  kind: Holder["kind"];
  name: string;
}

/** Who has a policy. */
export async function entities(PolicyArn: string): Promise<Entity[]> {
  const list: Entity[] = [];
  for (let Marker: string | undefined; ; ) {
    const p = await send(new iam.ListEntitiesForPolicyCommand({ PolicyArn, Marker }));
    for (const u of p.PolicyUsers ?? []) list.push({ kind: "user", name: u.UserName ?? "" });
    for (const g of p.PolicyGroups ?? []) list.push({ kind: "group", name: g.GroupName ?? "" });
    for (const r of p.PolicyRoles ?? []) list.push({ kind: "role", name: r.RoleName ?? "" });
    Marker = p.Marker;
    if (!Marker) return list;
  }
}

/** unless calls, and takes an error of that name for undefined. */
export async function unless<T>(name: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (e) {
    if (e instanceof Error && e.name === name) return undefined;
    throw e;
  }
}
