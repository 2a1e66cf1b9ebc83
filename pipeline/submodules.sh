#!/usr/bin/env bash
# Fetches the git submodules of what is checked out, in a build whose source comes from CodePipeline: CodeBuild's own setting
# (gitSubmodulesConfig) doesn't hold there. Run it in the root of the clone.
#
# SUBMODULE_REPOSITORIES  repositories at GitHub that are fetched by the pipeline's connection, owner/name, separated by commas;
#                         others are fetched from GitHub without credentials, so they have to be public
#
# The connection clones from https://HOST/git-http/ACCOUNT/REGION/CONNECTION/OWNER/NAME.git, for which git has credentials by the
# buildspec's git-credential-helper. SSH has no key here, so such addresses are rewritten in any case.
set -euo pipefail

if [ ! -f .gitmodules ]; then exit 0; fi
origin=$(git remote get-url origin)
for address in git@github.com: ssh://git@github.com/; do
  git config --global --add url.https://github.com/.insteadOf "$address"
done
for repository in ${SUBMODULE_REPOSITORIES//,/ }; do
  for address in git@github.com: ssh://git@github.com/ https://github.com/; do
    git config --global --add "url.${origin%/*/*}/$repository.insteadOf" "$address$repository"
  done
done
git submodule sync --quiet --recursive
git submodule update --quiet --init --recursive
