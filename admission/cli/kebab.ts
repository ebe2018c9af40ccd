/** `dryRun` -> `dry-run`: how a flag is typed. */
export function kebab(camel: string): string {
	return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
