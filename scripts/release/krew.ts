/** The krew manifest of one release, out of its template. @throws where a place of the template stays empty. */
export function krewManifest(template: string, values: Record<string, string>): string {
	const filled = template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
	// The shell's own ${...} has no word that we fill in.
	const left = /(?<!\$)\{\w+\}/.exec(filled);
	if (left) throw new Error(`the krew template's ${left[0]} has no value`);
	return filled.replace(/^#.*\n/, '');
}
