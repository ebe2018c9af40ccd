/** Fills in the template of the krew manifest. @throws when the template has a placeholder without a value. */
export function krewManifest(template: string, values: Record<string, string>): string {
	const filled = template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
	// ${...} belongs to the shell commands in the template and is no placeholder.
	const left = /(?<!\$)\{\w+\}/.exec(filled);
	if (left) throw new Error(`the krew template's ${left[0]} has no value`);
	return filled.replace(/^#.*\n/, '');
}
