# shellcheck shell=sh
# Sourced by make-disks and judge-disks.

# pattern LETTER FIRST COUNT: sectors of the text that runtime/common/pattern.c
# makes, too.
pattern() {
	awk -v letter="$1" -v first="$2" -v count="$3" 'BEGIN {
		for (sector = first; sector < first + count; sector++)
			for (i = 0; i < 32; i++)
				printf "sector%s%08d\n", letter, sector
	}'
}
