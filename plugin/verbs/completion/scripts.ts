export type Shell = 'bash' | 'zsh' | 'fish';

const preface = (shell: Shell) => `# Completion of kubectl-runners for ${shell}.
#
# "kubectl runners ..." is completed by kubectl itself (kubectl 1.26 or newer, with "kubectl completion ${shell}"
# loaded) once kubectl_complete-runners is in PATH; it lies beside kubectl-runners. This script is for the bare
# command kubectl-runners and an alias of it.
`;

/** The script for each shell. All of them run the hidden verb __complete, which prints one candidate per line. */
export const scripts: Record<Shell, string> = {
	bash: `${preface('bash')}
# In ~/.bashrc:  source <(kubectl runners completion bash)

__kubectl_runners_complete() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		[[ $line == :* ]] && continue
		COMPREPLY+=("\${line%%$'\\t'*}")
	done < <(kubectl-runners __complete "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "\${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
}
complete -o default -F __kubectl_runners_complete kubectl-runners
`,
	zsh: `#compdef kubectl-runners
${preface('zsh')}
# In ~/.zshrc, after compinit:  source <(kubectl runners completion zsh)

_kubectl_runners() {
	local line name
	local -a entries
	for line in "\${(@f)$(kubectl-runners __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -z $line || $line == :* ]] && continue
		name=\${line%%$'\\t'*}
		if [[ $line == *$'\\t'* ]]; then
			entries+=("\${name//:/\\\\:}:\${line#*$'\\t'}")
		else
			entries+=("\${name//:/\\\\:}")
		fi
	done
	_describe 'kubectl-runners' entries || _files
}
compdef _kubectl_runners kubectl-runners
`,
	fish: `${preface('fish')}
# In ~/.config/fish/config.fish:  kubectl runners completion fish | source

function __kubectl_runners_complete
	set -l args (commandline -opc)
	kubectl-runners __complete $args[2..-1] (commandline -ct) 2>/dev/null | string match -rv '^:[0-9]+$'
end
complete -c kubectl-runners -f -a '(__kubectl_runners_complete)'
`,
};
