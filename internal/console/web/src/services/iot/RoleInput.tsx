import Autosuggest from "@cloudscape-design/components/autosuggest";
import { IAMClient, ListRolesCommand, type Role } from "@aws-sdk/client-iam";
import { useLoad, type Loaded } from "../../kit/load";
import { all, aws } from "../../session/aws";

/** useRoles is the account's IAM roles, of which who may not list them is offered none. */
export const useRoles = (): Loaded<Role[]> => useLoad(() => all((Marker) => aws(IAMClient).send(new ListRolesCommand({ Marker })), (p) => p.Roles, (p) => p.Marker), []);

export const roleFault = (arn: string): string | undefined => (/^arn:[^:]+:iam::\d{12}:role\/.+/.test(arn) ? undefined : "Enter the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME");

/** RoleInput asks for the ARN of a role: one of the account's, or as it is entered. */
export function RoleInput({ roles, value, onChange }: { roles: Loaded<Role[]>; value: string; onChange: (arn: string) => void }) {
  return (
    <Autosuggest
      value={value}
      onChange={({ detail }) => onChange(detail.value.trim())}
      options={(roles.data ?? []).map((r) => ({ value: r.Arn ?? "", description: r.Description }))}
      enteredTextLabel={(v) => `Use "${v}"`}
      placeholder="arn:aws:iam::ACCOUNT:role/NAME"
      ariaLabel="Role"
      statusType={roles.loading ? "loading" : "finished"}
      empty="No roles"
    />
  );
}
