import { createSign } from 'node:crypto';

/** An RS256 JWT as a GitHub App makes it. Times in seconds from now. */
export function appJwt(
	privateKey: string,
	signals: { iss: number | string; iatS?: number; expS?: number },
	alg: 'RS256' | 'HS256' = 'RS256',
): string {
	const nowS = Math.floor(Date.now() / 1000);
	const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
	const payload = { iss: signals.iss, iat: nowS + (signals.iatS ?? -30), exp: nowS + (signals.expS ?? 570) };
	const body = `${encode({ alg, typ: 'JWT' })}.${encode(payload)}`;
	return `${body}.${createSign('RSA-SHA256').update(body).sign(privateKey).toString('base64url')}`;
}
