package process

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Signal sends sig to the process, and to no other that got its pid since. It
// reports whether there was anything to send it to.
func (id Identity) Signal(sig unix.Signal) (bool, error) {
	fd, err := id.open()
	if err != nil || fd < 0 {
		return false, err
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

// WaitGone waits until the process has ended, for at most limit, and reports
// whether it has.
func (id Identity) WaitGone(limit time.Duration) (bool, error) {
	fd, err := id.open()
	if err != nil {
		return false, err
	}
	if fd < 0 {
		return true, nil
	}
	defer unix.Close(fd)
	deadline := time.Now().Add(limit)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0, err
	}
}

// End asks the process to end, gives it grace to do so, and then kills it. A
// grace of 0 kills at once.
func (id Identity) End(grace time.Duration) error {
	if grace > 0 {
		if sent, err := id.Signal(unix.SIGTERM); err != nil || !sent {
			return err
		}
		if gone, err := id.WaitGone(grace); err != nil || gone {
			return err
		}
	}
	if sent, err := id.Signal(unix.SIGKILL); err != nil || !sent {
		return err
	}
	// A killed process is gone within milliseconds unless the kernel holds it in
	// a system call that cannot be interrupted.
	const killed = 10 * time.Second
	gone, err := id.WaitGone(killed)
	if err == nil && !gone {
		err = errors.New("process does not end after SIGKILL")
	}
	return err
}

// open gives a descriptor of the process, or -1 when it has ended. The identity
// is compared after opening, so that a pid handed out again in between is
// noticed.
func (id Identity) open() (int, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	if !id.Alive() {
		unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}
