const kinds = ["ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "!@#$%^&*()_+-=[]{}|'"];

/** A number below n, all equally likely. */
function below(n: number): number {
  const most = 2 ** 32 - (2 ** 32 % n);
  for (;;) {
    const [x] = crypto.getRandomValues(new Uint32Array(1));
    if (x !== undefined && x < most) return x % n;
  }
}

/** generatePassword makes one with all kinds of characters, as every password policy may want them. */
export function generatePassword(length = 20): string {
  const all = kinds.join("");
  const chars = [...kinds, ...Array.from({ length: length - kinds.length }, () => all)].map((k) => k[below(k.length)] ?? "");
  for (let i = chars.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [chars[i], chars[j]] = [chars[j] ?? "", chars[i] ?? ""];
  }
  return chars.join("");
}
