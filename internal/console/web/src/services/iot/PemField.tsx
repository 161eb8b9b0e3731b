import FileInput from "@cloudscape-design/components/file-input";
import FormField from "@cloudscape-design/components/form-field";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";

interface Props {
  label: string;
  description?: string;
  value: string;
  onChange: (pem: string) => void;
  error?: string;
  placeholder: string;
}

/** PemField takes a PEM text: pasted, or from a file. */
export function PemField({ label, description, value, onChange, error, placeholder }: Props) {
  return (
    <FormField label={label} description={description} errorText={error} stretch>
      <SpaceBetween size="xs">
        <Textarea value={value} onChange={({ detail }) => onChange(detail.value)} rows={6} placeholder={placeholder} ariaLabel={label} spellcheck={false} />
        <FileInput
          value={[]}
          ariaLabel={`Choose a file: ${label}`}
          onChange={({ detail }) => {
            const [file] = detail.value;
            void file?.text().then(onChange);
          }}
        >
          Choose file
        </FileInput>
      </SpaceBetween>
    </FormField>
  );
}

export const isPem = (text: string, kind: string) => text.includes(`-----BEGIN ${kind}-----`) && text.includes(`-----END ${kind}-----`);

export const certificatePlaceholder = "-----BEGIN CERTIFICATE-----";
