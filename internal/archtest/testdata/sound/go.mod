module sound

go 1.26

require example.com/decided v1.0.0
