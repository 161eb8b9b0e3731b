import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import type { ModelSetting } from "../model";
import { labelOf } from "./values";

interface Props {
  of: ModelSetting;
  value: string;
  onChange: (value: string) => void;
  error?: string;
  placeholder?: string;
}

/** SettingInput asks for the value of a setting. Secret ones are not shown. */
export function SettingInput({ of, value, onChange, error, placeholder }: Props) {
  return (
    <FormField label={labelOf(of) + (of.required ? "" : " - optional")} description={of.description} errorText={error}>
      <Input
        type={of.secret ? "password" : "text"}
        value={value}
        placeholder={placeholder}
        onChange={({ detail }) => onChange(detail.value)}
        // A browser is not to keep it, nor to offer what it keeps of this page.
        autoComplete={of.secret ? "new-password" : false}
        spellcheck={false}
      />
    </FormField>
  );
}
