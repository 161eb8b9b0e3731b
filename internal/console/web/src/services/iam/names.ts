/** What IAM takes for a name; nothing: it will do. */
export function nameFault(name: string, what: string, most: number): string | undefined {
  if (!name) return `Enter a ${what}.`;
  if (name.length > most) return `A ${what} has up to ${most} characters.`;
  if (!/^[\w+=,.@-]+$/.test(name)) return `A ${what} has letters, digits, and + = , . @ _ - only.`;
  return undefined;
}

export const nameRule = (most: number) => `The name can have up to ${most} characters. Valid characters: A-Z, a-z, 0-9, and + = , . @ _ - (hyphen)`;
