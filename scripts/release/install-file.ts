/** Where the manifests name the server's image. */
const imageLine = /^(\s*(?:- )?image: )runners-admission:\S+$/gm;

/**
 * One file to install the guard with `kubectl apply -f`: the rendered overlay, its image at this version. `image` is the
 * repository that the image was pushed to. @throws when the overlay has a Deployment without the server's image.
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
