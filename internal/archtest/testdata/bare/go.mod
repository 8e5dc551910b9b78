module bare
