# Ends what a function left behind. $1: the endpoint's folder for functions. Each line on stdin is the log stream of a function
# process that is gone, or "end". The end of stdin without "end" is the endpoint's own, however it came. Either way the folder
# is removed last, which the endpoint does not wait for: it may hold tens of thousands of files.
trap '' HUP INT TERM

# Kills every process, with the group it leads, that has this text in its environment: a child inherits it wherever it moves.
sweep() {
    tries=0
    while [ $tries -lt 100 ]; do
        found=$(grep -lsF -- "$1" /proc/[0-9]*/environ)
        [ -n "$found" ] || return 0
        for file in $found; do
            pid=${file#/proc/}
            pid=${pid%/environ}
            kill -9 "-$pid" 2>/dev/null
            kill -9 "$pid" 2>/dev/null
        done
        tries=$((tries + 1))
        sleep 0.02
    done
}

while read -r line; do
    if [ "$line" = end ]; then
        sweep "LAMBDA_RUNTIME_DIR=$1/"
        rm -rf -- "${1:?}" &
        exit
    fi
    sweep "AWS_LAMBDA_LOG_STREAM_NAME=$line"
done
sweep "LAMBDA_RUNTIME_DIR=$1/"
# A process that was between fork and exec had no environment of its own yet.
sleep 0.2
sweep "LAMBDA_RUNTIME_DIR=$1/"
rm -rf -- "${1:?}"
