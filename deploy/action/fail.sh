# For the scripts of the action, which source it: `fail CODE TEXT` shows an error as an annotation and
# exits with the code. A line break in an input must not end the annotation.
fail() {
  local code=$1 text=${2//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '::error title=tollgate::%s\n' "${text//$'\n'/%0A}"
  exit "$code"
}
