# Stories on the real cluster; included by the Makefile at the root. See tests/stories/main.rs.
.PHONY: stories e2e

stories: install ## One story a course of events on the cluster, each under load without a lost request
	@STORIES=courses e2e/stories.sh

e2e: install ## Every story on the cluster; STORY=canary,linear chooses some, KEEP=1 leaves their namespaces
	@e2e/stories.sh
	@[[ -n "$${STORY:-}$${KEEP:-}" ]] || e2e/check-lifecycle.sh
