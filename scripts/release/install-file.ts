/** The line of a Deployment that names the server's image. */
const imageLine = /^(\s*(?:- )?image: )runners-admission:\S+$/gm;

/**
 * The file that installs an overlay with `kubectl apply -f`: what was rendered, with the server's image of this version.
 * `image` is the repository that the image was pushed to. @throws when a Deployment runs another image.
 */
export function installFile(rendered: string, image: string, version: string): string {
	const pinned = rendered
		.replace(/^#.*\n/, `# kubectl-runners v${version}\n`)
		.replace(imageLine, `$1${image}:${version}`);
	const deployments = rendered.match(/^kind: Deployment$/gm)?.length ?? 0;
	const images = rendered.match(imageLine)?.length ?? 0;
	if (images !== deployments)
		throw new Error(`${deployments} Deployments, but ${images} images of the server`);
	return pinned;
}
